; Lists of run-time length and boxed tensors: reference-counted heap blocks.
;
; Every object begins with { count, width }. A box has width 0, then its extents, then, at a multiple of 64 bytes, its
; elements. A list has the number of 8-byte slots per element as width: { count, width, mask, length, capacity, elements };
; bit k of the mask says that slot k holds a reference. Counts are not atomic: objects belong to the call that made them.

%List = type { i64, i64, i64, i64, i64, ptr }

declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)

; An empty list; null after setting the error when there is no memory.
define ptr @torchcc.list_new(i64 %width, i64 %mask) nounwind {
  %size = ptrtoint ptr getelementptr (%List, ptr null, i64 1) to i64
  %list = call ptr @torchcc.alloc(i64 %size)
  %failed = icmp eq ptr %list, null
  br i1 %failed, label %done, label %fill

fill:
  store i64 1, ptr %list
  %width.at = getelementptr %List, ptr %list, i64 0, i32 1
  store i64 %width, ptr %width.at
  %mask.at = getelementptr %List, ptr %list, i64 0, i32 2
  store i64 %mask, ptr %mask.at
  %length.at = getelementptr %List, ptr %list, i64 0, i32 3
  store i64 0, ptr %length.at
  %capacity.at = getelementptr %List, ptr %list, i64 0, i32 4
  store i64 0, ptr %capacity.at
  %data.at = getelementptr %List, ptr %list, i64 0, i32 5
  store ptr null, ptr %data.at
  br label %done

done:
  ret ptr %list
}

; A box of that many bytes in all, one reference to it.
define ptr @torchcc.box_new(i64 %size) nounwind {
  %box = call ptr @torchcc.alloc(i64 %size)
  %failed = icmp eq ptr %box, null
  br i1 %failed, label %done, label %fill

fill:
  store i64 1, ptr %box
  %width.at = getelementptr i64, ptr %box, i64 1
  store i64 0, ptr %width.at
  br label %done

done:
  ret ptr %box
}

; Makes room for one more element before the one at `index` (at the end for the length): its slots, uninitialised. Null
; after setting the error when there is no memory; the list is then as before.
define ptr @torchcc.list_room(ptr %list, i64 %index) nounwind {
entry:
  %width.at = getelementptr %List, ptr %list, i64 0, i32 1
  %width = load i64, ptr %width.at
  %length.at = getelementptr %List, ptr %list, i64 0, i32 3
  %length = load i64, ptr %length.at
  %capacity.at = getelementptr %List, ptr %list, i64 0, i32 4
  %capacity = load i64, ptr %capacity.at
  %data.at = getelementptr %List, ptr %list, i64 0, i32 5
  %old = load ptr, ptr %data.at
  %bytes = shl i64 %width, 3
  %full = icmp eq i64 %length, %capacity
  br i1 %full, label %grow, label %shift

grow:
  %twice = shl i64 %capacity, 1
  %wanted = call i64 @llvm.umax.i64(i64 %twice, i64 8)
  %size = mul i64 %wanted, %bytes
  %new = call ptr @torchcc.alloc(i64 %size)
  %failed = icmp eq ptr %new, null
  br i1 %failed, label %none, label %move

none:
  ret ptr null

move:
  store ptr %new, ptr %data.at
  store i64 %wanted, ptr %capacity.at
  %empty = icmp eq ptr %old, null
  br i1 %empty, label %shift, label %copy

copy:
  %used = mul i64 %length, %bytes
  call void @llvm.memcpy.p0.p0.i64(ptr %new, ptr %old, i64 %used, i1 false)
  call void @torchcc.dealloc(ptr %old)
  br label %shift

shift:
  %data = phi ptr [ %old, %entry ], [ %new, %move ], [ %new, %copy ]
  %more = add i64 %length, 1
  store i64 %more, ptr %length.at
  %offset = mul i64 %index, %bytes
  %element = getelementptr i8, ptr %data, i64 %offset
  %behind = sub i64 %length, %index
  %last = icmp eq i64 %behind, 0
  br i1 %last, label %done, label %slide

slide:
  %tail = mul i64 %behind, %bytes
  %next = getelementptr i8, ptr %element, i64 %bytes
  call void @llvm.memmove.p0.p0.i64(ptr %next, ptr %element, i64 %tail, i1 false)
  br label %done

done:
  ret ptr %element
}

; Gives back what the slots of `count` elements from `index` on hold.
define internal void @torchcc.release_elements(ptr %list, i64 %index, i64 %count) nounwind {
entry:
  %width.at = getelementptr %List, ptr %list, i64 0, i32 1
  %width = load i64, ptr %width.at
  %mask.at = getelementptr %List, ptr %list, i64 0, i32 2
  %mask = load i64, ptr %mask.at
  %data.at = getelementptr %List, ptr %list, i64 0, i32 5
  %data = load ptr, ptr %data.at
  %plain = icmp eq i64 %mask, 0
  %first = mul i64 %index, %width
  %slots = mul i64 %count, %width
  %end = add i64 %first, %slots
  %nothing = icmp eq i64 %slots, 0
  %skip = or i1 %plain, %nothing
  br i1 %skip, label %done, label %loop

loop:
  %i = phi i64 [ %first, %entry ], [ %following, %next ]
  %k = urem i64 %i, %width
  %shifted = lshr i64 %mask, %k
  %holds = trunc i64 %shifted to i1
  br i1 %holds, label %give, label %next

give:
  %at = getelementptr ptr, ptr %data, i64 %i
  %object = load ptr, ptr %at
  call void @torchcc.release(ptr %object)
  br label %next

next:
  %following = add i64 %i, 1
  %more = icmp ult i64 %following, %end
  br i1 %more, label %loop, label %done

done:
  ret void
}

; Removes `count` elements from `index` on.
define void @torchcc.list_erase(ptr %list, i64 %index, i64 %count) nounwind {
  call void @torchcc.release_elements(ptr %list, i64 %index, i64 %count)
  %width.at = getelementptr %List, ptr %list, i64 0, i32 1
  %width = load i64, ptr %width.at
  %length.at = getelementptr %List, ptr %list, i64 0, i32 3
  %length = load i64, ptr %length.at
  %data.at = getelementptr %List, ptr %list, i64 0, i32 5
  %data = load ptr, ptr %data.at
  %left = sub i64 %length, %count
  store i64 %left, ptr %length.at
  %behind = sub i64 %left, %index
  %nothing = icmp eq i64 %behind, 0
  br i1 %nothing, label %done, label %slide

slide:
  %bytes = shl i64 %width, 3
  %to = mul i64 %index, %bytes
  %target = getelementptr i8, ptr %data, i64 %to
  %gap = mul i64 %count, %bytes
  %source = getelementptr i8, ptr %target, i64 %gap
  %tail = mul i64 %behind, %bytes
  call void @llvm.memmove.p0.p0.i64(ptr %target, ptr %source, i64 %tail, i1 false)
  br label %done

done:
  ret void
}

; Gives back one reference; with the last one, the object and what it holds. Types nest, so recursion ends.
define void @torchcc.release(ptr %object) nounwind {
  %count = load i64, ptr %object
  %left = sub i64 %count, 1
  store i64 %left, ptr %object
  %last = icmp eq i64 %left, 0
  br i1 %last, label %kind, label %done

kind:
  %width.at = getelementptr i64, ptr %object, i64 1
  %width = load i64, ptr %width.at
  %is.box = icmp eq i64 %width, 0
  br i1 %is.box, label %drop, label %list

list:
  %length.at = getelementptr %List, ptr %object, i64 0, i32 3
  %length = load i64, ptr %length.at
  call void @torchcc.release_elements(ptr %object, i64 0, i64 %length)
  %data.at = getelementptr %List, ptr %object, i64 0, i32 5
  %data = load ptr, ptr %data.at
  %none = icmp eq ptr %data, null
  br i1 %none, label %drop, label %elements

elements:
  call void @torchcc.dealloc(ptr %data)
  br label %drop

drop:
  call void @torchcc.dealloc(ptr %object)
  br label %done

done:
  ret void
}
