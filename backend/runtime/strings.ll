; Strings whose bytes are known at run time, and what a program prints.
;
; A string is { count, 0, length, capacity } and its bytes, with room for a zero behind them. Like a box it has
; width 0 (see lists.ll). It never changes but where nobody else can see it (`str_append`). Constants of a program and the
; strings of one byte have a negative count: they are read-only and never given back.

%String = type { i64, i64, i64, i64 }

@torchcc.str_empty = private constant { i64, i64, i64, i64, i8 } { i64 -1, i64 0, i64 0, i64 0, i8 0 }
@torchcc.format_ld = private constant [4 x i8] c"%ld\00"

declare ptr @memchr(ptr, i32, i64)
declare double @strtod(ptr, ptr)
declare double @llvm.fabs.f64(double)
declare i64 @write(i32, ptr, i64)

; A string of that many bytes, not written yet; null after setting the error when there is no
; memory.
define noalias ptr @torchcc.str_new(i64 %length, i64 %wanted) nounwind {
  %padded = add i64 %wanted, 80 ; the string, a zero, the block's header, rounded up to what such blocks come in
  %units = and i64 %padded, -32
  %size = sub i64 %units, 16
  %capacity = sub i64 %size, 33
  %string = call ptr @torchcc.object_alloc(i64 %size)
  %failed = icmp eq ptr %string, null
  br i1 %failed, label %done, label %fill

fill:
  store i64 1, ptr %string
  %width.at = getelementptr %String, ptr %string, i64 0, i32 1
  store i64 0, ptr %width.at
  %length.at = getelementptr %String, ptr %string, i64 0, i32 2
  store i64 %length, ptr %length.at
  %capacity.at = getelementptr %String, ptr %string, i64 0, i32 3
  store i64 %capacity, ptr %capacity.at
  br label %done

done:
  ret ptr %string
}

define internal i64 @torchcc.str_length(ptr %string) nounwind alwaysinline {
  %length.at = getelementptr %String, ptr %string, i64 0, i32 2
  %length = load i64, ptr %length.at
  ret i64 %length
}

; The string of one byte, the lowest of `value`.
define ptr @torchcc.str_of_byte(i64 %value) nounwind {
  %byte = and i64 %value, 255
  %string = getelementptr [256 x %ByteString], ptr @torchcc.byte_strings, i64 0, i64 %byte
  ret ptr %string
}

; A copy of `length` bytes.
define ptr @torchcc.str_copy(ptr %bytes, i64 %length) nounwind {
  switch i64 %length, label %many [ i64 0, label %none
                                    i64 1, label %one ]

none:
  ret ptr @torchcc.str_empty

one:
  %byte = load i8, ptr %bytes
  %wide = zext i8 %byte to i64
  %shared = call ptr @torchcc.str_of_byte(i64 %wide)
  ret ptr %shared

many:
  %string = call ptr @torchcc.str_new(i64 %length, i64 %length)
  %failed = icmp eq ptr %string, null
  br i1 %failed, label %done, label %copy

copy:
  %target = getelementptr i8, ptr %string, i64 32
  call void @llvm.memcpy.p0.p0.i64(ptr %target, ptr %bytes, i64 %length, i1 false)
  br label %done

done:
  ret ptr %string
}

; `length` bytes of a string: the string itself where those are all.
define ptr @torchcc.str_slice(ptr %string, ptr %bytes, i64 %length) nounwind {
  %whole = call i64 @torchcc.str_length(ptr %string)
  %all = icmp eq i64 %length, %whole
  br i1 %all, label %same, label %part

same:
  call void @torchcc.retain(ptr %string)
  ret ptr %string

part:
  %copy = call ptr @torchcc.str_copy(ptr %bytes, i64 %length)
  ret ptr %copy
}

; A string and `m` bytes of another one in a new string.
define internal ptr @torchcc.str_joined(ptr %a, ptr %b.bytes, i64 %m, i64 %capacity) nounwind {
  %n = call i64 @torchcc.str_length(ptr %a)
  %length = add i64 %n, %m
  %string = call ptr @torchcc.str_new(i64 %length, i64 %capacity)
  %failed = icmp eq ptr %string, null
  br i1 %failed, label %done, label %copy

copy:
  %target = getelementptr i8, ptr %string, i64 32
  %a.bytes = getelementptr i8, ptr %a, i64 32
  call void @llvm.memcpy.p0.p0.i64(ptr %target, ptr %a.bytes, i64 %n, i1 false)
  %rest = getelementptr i8, ptr %target, i64 %n
  call void @llvm.memcpy.p0.p0.i64(ptr %rest, ptr %b.bytes, i64 %m, i1 false)
  br label %done

done:
  ret ptr %string
}

; Both, one behind the other, in a new string unless one of them is empty.
define ptr @torchcc.str_concat(ptr %a, ptr %b) nounwind {
  %n = call i64 @torchcc.str_length(ptr %a)
  %m = call i64 @torchcc.str_length(ptr %b)
  %a.empty = icmp eq i64 %n, 0
  %b.empty = icmp eq i64 %m, 0
  %either = or i1 %a.empty, %b.empty
  br i1 %either, label %one, label %both

one:
  %left = select i1 %a.empty, ptr %b, ptr %a
  call void @torchcc.retain(ptr %left)
  ret ptr %left

both:
  %length = add i64 %n, %m
  %b.bytes = getelementptr i8, ptr %b, i64 32
  %string = call ptr @torchcc.str_joined(ptr %a, ptr %b.bytes, i64 %m, i64 %length)
  ret ptr %string
}

; The same, and takes the caller's reference to `a`: where that is the only one, in its memory if there is room.
define ptr @torchcc.str_append(ptr %a, ptr %b) nounwind {
  %n = call i64 @torchcc.str_length(ptr %a)
  %empty = icmp eq i64 %n, 0
  br i1 %empty, label %other, label %both

other:
  call void @torchcc.release(ptr %a)
  call void @torchcc.retain(ptr %b)
  ret ptr %b

both:
  %m = call i64 @torchcc.str_length(ptr %b)
  %b.bytes = getelementptr i8, ptr %b, i64 32
  %appended = call ptr @torchcc.str_append_bytes(ptr %a, ptr %b.bytes, i64 %m)
  ret ptr %appended
}

; The same for `m` bytes of a string.
define ptr @torchcc.str_append_bytes(ptr %a, ptr %bytes, i64 %m) nounwind {
  %nothing = icmp eq i64 %m, 0
  br i1 %nothing, label %same, label %more

same:
  ret ptr %a

more:
  %n = call i64 @torchcc.str_length(ptr %a)
  %length = add i64 %n, %m
  %count = load i64, ptr %a
  %alone = icmp eq i64 %count, 1
  br i1 %alone, label %own, label %grow

own:
  %capacity.at = getelementptr %String, ptr %a, i64 0, i32 3
  %capacity = load i64, ptr %capacity.at
  %fits = icmp ule i64 %length, %capacity
  br i1 %fits, label %extend, label %grow

extend:
  %length.at = getelementptr %String, ptr %a, i64 0, i32 2
  store i64 %length, ptr %length.at
  %own.bytes = getelementptr i8, ptr %a, i64 32
  %target = getelementptr i8, ptr %own.bytes, i64 %n
  call void @llvm.memcpy.p0.p0.i64(ptr %target, ptr %bytes, i64 %m, i1 false)
  ret ptr %a

grow:
  %double = shl i64 %length, 1
  %twice = call i64 @llvm.umax.i64(i64 %double, i64 31)
  %grown = call ptr @torchcc.str_joined(ptr %a, ptr %bytes, i64 %m, i64 %twice)
  call void @torchcc.release(ptr %a)
  ret ptr %grown
}

; Negative, zero or positive as the `n` bytes at `a` stand before the `m` at `b`, are equal, or stand behind them.
define i64 @torchcc.str_compare(ptr %a, i64 %n, ptr %b, i64 %m) nounwind {
  %common = call i64 @llvm.umin.i64(i64 %n, i64 %m)
  %order = call i32 @memcmp(ptr %a, ptr %b, i64 %common)
  %wide = sext i32 %order to i64
  %longer = sub i64 %n, %m
  %alike = icmp eq i32 %order, 0
  %result = select i1 %alike, i64 %longer, i64 %wide
  ret i64 %result
}

; Where the `m` bytes of a part first stand between `start` and `stop`; -1 where they do not.
define i64 @torchcc.str_find(ptr %bytes, ptr %part.bytes, i64 %m, i64 %start, i64 %stop) nounwind {
entry:
  %last = sub i64 %stop, %m
  %too.long = icmp sgt i64 %start, %last
  br i1 %too.long, label %none, label %any

any:
  %empty = icmp eq i64 %m, 0
  br i1 %empty, label %at.start, label %first

at.start:
  ret i64 %start

first:
  %byte = load i8, ptr %part.bytes
  %wanted = zext i8 %byte to i32
  br label %loop

loop:
  %at = phi i64 [ %start, %first ], [ %following, %next ]
  %from = getelementptr i8, ptr %bytes, i64 %at
  %distance = sub i64 %last, %at
  %places = add i64 %distance, 1
  %found = call ptr @memchr(ptr %from, i32 %wanted, i64 %places)
  %missing = icmp eq ptr %found, null
  br i1 %missing, label %none, label %compare

compare:
  %found.address = ptrtoint ptr %found to i64
  %base.address = ptrtoint ptr %bytes to i64
  %position = sub i64 %found.address, %base.address
  %order = call i32 @memcmp(ptr %found, ptr %part.bytes, i64 %m)
  %equal = icmp eq i32 %order, 0
  br i1 %equal, label %done, label %next

next:
  %following = add i64 %position, 1
  %over = icmp sgt i64 %following, %last
  br i1 %over, label %none, label %loop

done:
  ret i64 %position

none:
  ret i64 -1
}

define ptr @torchcc.str_from_i64(i64 %value) nounwind {
  %text = alloca [32 x i8]
  %length = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 32, ptr @torchcc.format_ld, i64 %value)
  %wide = sext i32 %length to i64
  %string = call ptr @torchcc.str_copy(ptr %text, i64 %wide)
  ret ptr %string
}

; The text of a float: as `format` of `printf` says, or, where that is null, as PyTorch shows it.
define ptr @torchcc.str_from_f64(double %value, ptr %format) nounwind {
  %text = alloca [512 x i8]
  %shown = icmp eq ptr %format, null
  br i1 %shown, label %show, label %print

show:
  %length.shown = call i32 @torchcc.float_text(ptr %text, double %value)
  br label %done

print:
  %length.printed = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 512, ptr %format, double %value)
  br label %done

done:
  %length = phi i32 [ %length.shown, %show ], [ %length.printed, %print ]
  %wide = sext i32 %length to i64
  %string = call ptr @torchcc.str_copy(ptr %text, i64 %wide)
  ret ptr %string
}

; A float with the fewest digits that say which number it is; `format` is `%.*e`.
define ptr @torchcc.str_shortest(double %value, ptr %format) nounwind {
entry:
  %text = alloca [64 x i8]
  br label %loop

loop:
  %digits = phi i32 [ 0, %entry ], [ %more, %next ]
  %length = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 64, ptr %format, i32 %digits, double %value)
  %again = call double @strtod(ptr %text, ptr null)
  %same = fcmp oeq double %again, %value
  %last = icmp eq i32 %digits, 16
  %enough = or i1 %same, %last
  br i1 %enough, label %done, label %next

next:
  %more = add i32 %digits, 1
  br label %loop

done:
  %wide = sext i32 %length to i64
  %string = call ptr @torchcc.str_copy(ptr %text, i64 %wide)
  ret ptr %string
}

; The number that the string begins with; how many bytes that are goes to `used`, -1 where it is too large or too small.
define double @torchcc.str_to_f64(ptr %string, ptr %used) nounwind {
entry:
  %end.at = alloca ptr
  %bytes = getelementptr i8, ptr %string, i64 32
  %references = load i64, ptr %string
  %forever = icmp slt i64 %references, 0
  br i1 %forever, label %read, label %close

; those that are never given back end with a zero
close:
  %whole = call i64 @torchcc.str_length(ptr %string)
  %behind = getelementptr i8, ptr %bytes, i64 %whole
  store i8 0, ptr %behind
  br label %read

read:
  %value = call double @strtod(ptr %bytes, ptr %end.at)
  %end = load ptr, ptr %end.at
  %end.address = ptrtoint ptr %end to i64
  %start.address = ptrtoint ptr %bytes to i64
  %count = sub i64 %end.address, %start.address
  %magnitude = call double @llvm.fabs.f64(double %value)
  %infinite = fcmp oeq double %magnitude, 0x7FF0000000000000
  %tiny = fcmp olt double %magnitude, 0x0010000000000000
  %unusual = or i1 %infinite, %tiny
  br i1 %unusual, label %look, label %done

; a digit that is not 0 in front of an exponent: the text is no `inf` and no zero
look:
  %i = phi i64 [ 0, %read ], [ %following, %next ]
  %over = icmp sge i64 %i, %count
  br i1 %over, label %done, label %test

test:
  %at = getelementptr i8, ptr %bytes, i64 %i
  %byte = load i8, ptr %at
  %low = or i8 %byte, 32
  %is.exponent = icmp eq i8 %low, 101 ; e
  br i1 %is.exponent, label %done, label %digit

digit:
  %from.one = sub i8 %byte, 49
  %is.digit = icmp ult i8 %from.one, 9
  br i1 %is.digit, label %done, label %next

next:
  %following = add i64 %i, 1
  br label %look

done:
  %result = phi i64 [ %count, %read ], [ %count, %look ], [ %count, %test ], [ -1, %digit ]
  store i64 %result, ptr %used
  ret double %value
}

; Writes what a program has printed and not yet written.
define void @torchcc.flush(ptr %state) nounwind {
  %used.at = getelementptr %State, ptr %state, i64 0, i32 11
  %used = load i64, ptr %used.at
  %buffer.at = getelementptr %State, ptr %state, i64 0, i32 10
  %buffer = load ptr, ptr %buffer.at
  store i64 0, ptr %used.at
  call void @torchcc.write_all(ptr %buffer, i64 %used)
  ret void
}

define internal void @torchcc.write_all(ptr %bytes, i64 %count) nounwind {
entry:
  br label %loop

loop:
  %at = phi ptr [ %bytes, %entry ], [ %rest, %next ]
  %left = phi i64 [ %count, %entry ], [ %remaining, %next ]
  %done = icmp eq i64 %left, 0
  br i1 %done, label %return, label %some

some:
  %written = call i64 @write(i32 1, ptr %at, i64 %left)
  %failed = icmp sle i64 %written, 0
  br i1 %failed, label %return, label %next

next:
  %rest = getelementptr i8, ptr %at, i64 %written
  %remaining = sub i64 %left, %written
  br label %loop

return:
  ret void
}

; Puts the string behind what this thread has printed.
define void @torchcc.print(ptr %string) nounwind {
  %state = call ptr @torchcc.state()
  %length = call i64 @torchcc.str_length(ptr %string)
  %bytes = getelementptr i8, ptr %string, i64 32
  %buffer.at = getelementptr %State, ptr %state, i64 0, i32 10
  %old = load ptr, ptr %buffer.at
  %none = icmp eq ptr %old, null
  br i1 %none, label %make, label %fits

make:
  %new = call ptr @malloc(i64 65536)
  store ptr %new, ptr %buffer.at
  %failed = icmp eq ptr %new, null
  br i1 %failed, label %directly, label %fits

fits:
  %used.at = getelementptr %State, ptr %state, i64 0, i32 11
  %used = load i64, ptr %used.at
  %wanted = add i64 %used, %length
  %full = icmp ugt i64 %wanted, 65536
  br i1 %full, label %empty, label %copy

empty:
  call void @torchcc.flush(ptr %state)
  %large = icmp ugt i64 %length, 65536
  br i1 %large, label %directly, label %copy

directly:
  call void @torchcc.write_all(ptr %bytes, i64 %length)
  ret void

copy:
  %at = load i64, ptr %used.at
  %buffer = load ptr, ptr %buffer.at
  %target = getelementptr i8, ptr %buffer, i64 %at
  call void @llvm.memcpy.p0.p0.i64(ptr %target, ptr %bytes, i64 %length, i1 false)
  %after = add i64 %at, %length
  store i64 %after, ptr %used.at
  ret void
}
