; State of a thread, and errors.
;
; Thread-local storage is a pthread key: the JIT's linker and plain libc both have it. A thread's state is made on first
; use and freed when the thread ends.

; fields: 0 1 sentinel of the list of heap blocks (see memory.ll), 2 newest arena chunk, 3 capacity of the next first
; chunk, 4 values noted for the next error, 5 what they are (0 an integer, 1 a float, 2 a string),
; 6 how many, 7 number of the last failed assertion (-1: another error), 8 inside a parallel region, 9 text of the last
; error (4096 bytes), 10 buffer of what was printed, or null, 11 bytes in it, 12 free blocks for objects by size (see objects.ll),
; 13 top of the newest slab, 14 bytes left in it, 15 its size, 16 live objects, 17 first future, 18 to 20 states of calls
; that were forked (see forks.ll), 21 how deep this is in such calls. From 12 on all are zero between calls.
%State = type { ptr, ptr, ptr, i64, [16 x i64], [16 x i8], i32, i32, i32, ptr, ptr, i64, [33 x ptr], ptr, i64, i64, i64, ptr, ptr, ptr, i64, i64 }

@torchcc.key_status = global i32 0 ; 0 not made, 1 being made, 2 ready
@torchcc.key = global i64 0        ; pthread_key_t is 32 bits wide on Linux, 64 on macOS
@torchcc.text_g = private constant [6 x i8] c"%.17g\00"
@torchcc.text_whole = private constant [5 x i8] c"%ld.\00"
@torchcc.text_d = private constant [4 x i8] c"%ld\00"
@torchcc.text_located = private constant [12 x i8] c"%s\0A  --> %s\00"
@torchcc.text_no_memory = private constant [42 x i8] c"out of memory: cannot allocate %lld bytes\00"

declare i32 @pthread_key_create(ptr, ptr)
declare ptr @pthread_getspecific(i64)
declare i32 @pthread_setspecific(i64, ptr)
declare i32 @sched_yield()
declare ptr @calloc(i64, i64)
declare void @free(ptr)
declare i32 @snprintf(ptr, i64, ptr, ...)
declare i64 @strlen(ptr)
declare i64 @llvm.umin.i64(i64, i64)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

define ptr @torchcc.state() nounwind {
  %status = load atomic i32, ptr @torchcc.key_status acquire, align 4
  %ready = icmp eq i32 %status, 2
  br i1 %ready, label %get, label %make

make:
  %exchange = cmpxchg ptr @torchcc.key_status, i32 0, i32 1 acq_rel acquire
  %first = extractvalue { i32, i1 } %exchange, 1
  br i1 %first, label %create, label %wait

create:
  %made = call i32 @pthread_key_create(ptr @torchcc.key, ptr @torchcc.end_thread)
  store atomic i32 2, ptr @torchcc.key_status release, align 4
  br label %get

wait:
  %now = load atomic i32, ptr @torchcc.key_status acquire, align 4
  %done = icmp eq i32 %now, 2
  br i1 %done, label %get, label %again

again:
  %yielded = call i32 @sched_yield()
  br label %wait

get:
  %key = load i64, ptr @torchcc.key
  %old = call ptr @pthread_getspecific(i64 %key)
  %known = icmp ne ptr %old, null
  br i1 %known, label %return, label %new

new:
  %size = ptrtoint ptr getelementptr (%State, ptr null, i64 1) to i64
  %with.text = add i64 %size, 4096
  %state = call ptr @calloc(i64 1, i64 %with.text)
  %behind = getelementptr i8, ptr %state, i64 %size
  %text.at = getelementptr %State, ptr %state, i64 0, i32 9
  store ptr %behind, ptr %text.at
  store ptr %state, ptr %state
  %next = getelementptr %State, ptr %state, i64 0, i32 1
  store ptr %state, ptr %next
  %set = call i32 @pthread_setspecific(i64 %key, ptr %state)
  br label %return

return:
  %result = phi ptr [ %old, %get ], [ %state, %new ]
  ret ptr %result
}

define internal void @torchcc.end_thread(ptr %state) nounwind {
  br label %chunks

chunks:
  %head = getelementptr %State, ptr %state, i64 0, i32 2
  %chunk = load ptr, ptr %head
  %none = icmp eq ptr %chunk, null
  br i1 %none, label %done, label %drop

drop:
  %older = load ptr, ptr %chunk
  store ptr %older, ptr %head
  call void @free(ptr %chunk)
  br label %chunks

done:
  %printed.at = getelementptr %State, ptr %state, i64 0, i32 10
  %printed = load ptr, ptr %printed.at
  call void @free(ptr %printed)
  call void @free(ptr %state)
  ret void
}

; The text of this thread's last error; valid until the thread's next call.
define ptr @torchcc_last_error() nounwind {
  %state = call ptr @torchcc.state()
  %text.at = getelementptr %State, ptr %state, i64 0, i32 9
  %text = load ptr, ptr %text.at
  ret ptr %text
}

define void @torchcc_set_last_error(ptr %message) nounwind {
  %state = call ptr @torchcc.state()
  %text.at = getelementptr %State, ptr %state, i64 0, i32 9
  %text = load ptr, ptr %text.at
  %same = icmp eq ptr %text, %message
  br i1 %same, label %return, label %copy

copy:
  %length = call i64 @strlen(ptr %message)
  %fits = icmp ult i64 %length, 4095
  %count = select i1 %fits, i64 %length, i64 4095
  call void @llvm.memcpy.p0.p0.i64(ptr %text, ptr %message, i64 %count, i1 false)
  %end = getelementptr i8, ptr %text, i64 %count
  store i8 0, ptr %end
  br label %return

return:
  ret void
}

; Number of the assertion that failed last on this thread, -1 where the error was another one.
define i32 @torchcc.error_number() nounwind {
  %state = call ptr @torchcc.state()
  %field = getelementptr %State, ptr %state, i64 0, i32 7
  %number = load i32, ptr %field
  ret i32 %number
}

define void @torchcc.set_error_number(i32 %number) nounwind {
  %state = call ptr @torchcc.state()
  %field = getelementptr %State, ptr %state, i64 0, i32 7
  store i32 %number, ptr %field
  ret void
}

; An error that is no failed assertion of the program: a bad argument.
define void @torchcc.error(ptr %message) cold nounwind {
  call void @torchcc_set_last_error(ptr %message)
  call void @torchcc.set_error_number(i32 -1)
  ret void
}

define void @torchcc.out_of_memory(i64 %size) cold nounwind {
  %text = alloca [64 x i8]
  %written = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 64, ptr @torchcc.text_no_memory, i64 %size)
  call void @torchcc.error(ptr %text)
  ret void
}

; Values for the `{}` holes of the next failing assertion's text, in order.
define internal void @torchcc.note(i64 %bits, i8 %what) cold nounwind {
  %state = call ptr @torchcc.state()
  %count.field = getelementptr %State, ptr %state, i64 0, i32 6
  %count = load i32, ptr %count.field
  %full = icmp uge i32 %count, 16
  br i1 %full, label %return, label %store

store:
  %value = getelementptr %State, ptr %state, i64 0, i32 4, i32 %count
  store i64 %bits, ptr %value
  %kind = getelementptr %State, ptr %state, i64 0, i32 5, i32 %count
  store i8 %what, ptr %kind
  %more = add i32 %count, 1
  store i32 %more, ptr %count.field
  br label %return

return:
  ret void
}

define void @torchcc_note_i64(i64 %value) cold nounwind {
  call void @torchcc.note(i64 %value, i8 0)
  ret void
}

define void @torchcc_note_f64(double %value) cold nounwind {
  %bits = bitcast double %value to i64
  call void @torchcc.note(i64 %bits, i8 1)
  ret void
}

define void @torchcc.note_str(ptr %string) cold nounwind {
  %address = ptrtoint ptr %string to i64
  call void @torchcc.note(i64 %address, i8 2)
  ret void
}

; The text of a float as PyTorch shows it, `7.`, `0.10000000000000001`, `1e+20`: its length. At most 40 bytes with the zero.
define i32 @torchcc.float_text(ptr %text, double %float) nounwind {
  %above = fcmp oge double %float, 0xC3E0000000000000 ; -2^63
  %below = fcmp olt double %float, 0x43E0000000000000
  %small = and i1 %above, %below
  br i1 %small, label %maybe.whole, label %any

maybe.whole:
  %truncated = fptosi double %float to i64
  %again = sitofp i64 %truncated to double
  %is.whole = fcmp oeq double %again, %float
  br i1 %is.whole, label %whole, label %any

whole:
  %length.whole = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 40, ptr @torchcc.text_whole, i64 %truncated)
  ret i32 %length.whole

any:
  %length.any = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 40, ptr @torchcc.text_g, double %float)
  ret i32 %length.any
}

; A failed assertion, whose text and place stand in a table.
define void @torchcc.fail_at(i32 %number, ptr %table) cold nounwind {
  %message.at = getelementptr { ptr, ptr }, ptr %table, i32 %number
  %message = load ptr, ptr %message.at
  %location.at = getelementptr { ptr, ptr }, ptr %table, i32 %number, i32 1
  %location = load ptr, ptr %location.at
  call void @torchcc.fail(i32 %number, ptr %message, ptr %location)
  ret void
}

; A failed assertion: fills the holes of its text with the noted values and keeps it as this thread's last error.
define void @torchcc.fail(i32 %number, ptr %message, ptr %location) cold nounwind {
entry:
  %text = alloca [3072 x i8]
  %located = alloca [4096 x i8]
  %state = call ptr @torchcc.state()
  %count.field = getelementptr %State, ptr %state, i64 0, i32 6
  %count = load i32, ptr %count.field
  store i32 0, ptr %count.field
  br label %next

next:
  %from = phi i64 [ 0, %entry ], [ %from.copy, %copy ], [ %from.hole, %hole.done ]
  %to = phi i64 [ 0, %entry ], [ %to.copy, %copy ], [ %to.hole, %hole.done ]
  %used = phi i32 [ 0, %entry ], [ %used, %copy ], [ %used.hole, %hole.done ]
  %c.at = getelementptr i8, ptr %message, i64 %from
  %c = load i8, ptr %c.at
  %at.end = icmp eq i8 %c, 0
  %full = icmp uge i64 %to, 3000
  %stop = or i1 %at.end, %full
  br i1 %stop, label %finish, label %look

look:
  %opens = icmp eq i8 %c, 123 ; {
  %left = icmp ult i32 %used, %count
  %may = and i1 %opens, %left
  br i1 %may, label %look.second, label %copy

look.second:
  %d.at = getelementptr i8, ptr %c.at, i64 1
  %d = load i8, ptr %d.at
  %closes = icmp eq i8 %d, 125 ; }
  br i1 %closes, label %hole, label %copy

copy:
  %copy.at = getelementptr i8, ptr %text, i64 %to
  store i8 %c, ptr %copy.at
  %from.copy = add i64 %from, 1
  %to.copy = add i64 %to, 1
  br label %next

hole:
  %value.at = getelementptr %State, ptr %state, i64 0, i32 4, i32 %used
  %value = load i64, ptr %value.at
  %kind.at = getelementptr %State, ptr %state, i64 0, i32 5, i32 %used
  %kind = load i8, ptr %kind.at
  %hole.at = getelementptr i8, ptr %text, i64 %to
  switch i8 %kind, label %hole.integer [ i8 1, label %hole.float
                                         i8 2, label %hole.string ]

hole.float:
  %float = bitcast i64 %value to double
  %length.float = call i32 @torchcc.float_text(ptr %hole.at, double %float)
  br label %hole.done

hole.string:
  %string = inttoptr i64 %value to ptr
  %string.length.at = getelementptr i64, ptr %string, i64 2
  %string.length = load i64, ptr %string.length.at
  %room = sub i64 3000, %to
  %shown = call i64 @llvm.umin.i64(i64 %string.length, i64 %room)
  %string.bytes = getelementptr i8, ptr %string, i64 32
  call void @llvm.memcpy.p0.p0.i64(ptr %hole.at, ptr %string.bytes, i64 %shown, i1 false)
  %length.string = trunc i64 %shown to i32
  br label %hole.done

hole.integer:
  %length.integer = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %hole.at, i64 40, ptr @torchcc.text_d, i64 %value)
  br label %hole.done

hole.done:
  %length = phi i32 [ %length.float, %hole.float ], [ %length.string, %hole.string ], [ %length.integer, %hole.integer ]
  %length.wide = sext i32 %length to i64
  %to.hole = add i64 %to, %length.wide
  %from.hole = add i64 %from, 2
  %used.hole = add i32 %used, 1
  br label %next

finish:
  %end.at = getelementptr i8, ptr %text, i64 %to
  store i8 0, ptr %end.at
  %first = load i8, ptr %location
  %nowhere = icmp eq i8 %first, 0
  br i1 %nowhere, label %plain, label %with.location

plain:
  call void @torchcc_set_last_error(ptr %text)
  br label %return

with.location:
  %written = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %located, i64 4096, ptr @torchcc.text_located, ptr %text, ptr %location)
  call void @torchcc_set_last_error(ptr %located)
  br label %return

return:
  call void @torchcc.set_error_number(i32 %number)
  ret void
}
