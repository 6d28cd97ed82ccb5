; Lists of run-time length and boxed tensors: reference-counted heap blocks.
;
; Every object begins with { count, width }. A box has width 0, then its extents, then, at a multiple of 64 bytes, its
; elements. A dict has width -1 (`dicts.ll`). A list has the bytes of an element as width: { count, width, mask, length, capacity, elements };
; an element is 8 bytes per slot, one byte in a list of bools; bit k of the mask says that slot k holds a reference. A record has width -2, the number of its fields, masks for them, one
; word for each 64, and the fields. Counts are not atomic: objects belong to the call that made them.

%List = type { i64, i64, i64, i64, i64, ptr }

declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)

; An empty list; null after setting the error when there is no memory.
define ptr @torchcc.list_new(i64 %width, i64 %mask) nounwind {
  %size = ptrtoint ptr getelementptr (%List, ptr null, i64 1) to i64
  %list = call ptr @torchcc.object_alloc(i64 %size)
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
  %box = call ptr @torchcc.object_alloc_aligned(i64 %size)
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

; Makes room for one more element at the end, at least. True after setting the error when there is no memory.
define i1 @torchcc.list_grow(ptr %list) nounwind {
  %length.at = getelementptr %List, ptr %list, i64 0, i32 3
  %length = load i64, ptr %length.at
  %more = add i64 %length, 1
  %failed = call i1 @torchcc.list_reserve(ptr %list, i64 %more)
  ret i1 %failed
}

; Makes room for so many elements in all. True after setting the error when there is no memory; the list is then as before.
define i1 @torchcc.list_reserve(ptr %list, i64 %count) nounwind {
  %capacity.at = getelementptr %List, ptr %list, i64 0, i32 4
  %capacity = load i64, ptr %capacity.at
  %enough = icmp sle i64 %count, %capacity
  br i1 %enough, label %done, label %grow

grow:
  %bytes.at = getelementptr %List, ptr %list, i64 0, i32 1
  %bytes = load i64, ptr %bytes.at
  %length.at = getelementptr %List, ptr %list, i64 0, i32 3
  %length = load i64, ptr %length.at
  %data.at = getelementptr %List, ptr %list, i64 0, i32 5
  %old = load ptr, ptr %data.at
  %twice = shl i64 %capacity, 1
  %least = call i64 @llvm.umax.i64(i64 %twice, i64 8)
  %wanted = call i64 @llvm.umax.i64(i64 %least, i64 %count)
  %checked = call { i64, i1 } @llvm.umul.with.overflow.i64(i64 %wanted, i64 %bytes)
  %product = extractvalue { i64, i1 } %checked, 0
  %overflow = extractvalue { i64, i1 } %checked, 1
  %size = select i1 %overflow, i64 9223372036854775807, i64 %product
  %impossible = icmp slt i64 %size, 0
  %huge = icmp ugt i64 %size, 4611686018427387904
  %never = or i1 %impossible, %huge
  br i1 %never, label %refuse, label %allocate

refuse:
  call void @torchcc.out_of_memory(i64 %size)
  ret i1 true

allocate:
  %new = call ptr @torchcc.object_alloc(i64 %size)
  %failed = icmp eq ptr %new, null
  br i1 %failed, label %none, label %move

none:
  ret i1 true

move:
  store ptr %new, ptr %data.at
  store i64 %wanted, ptr %capacity.at
  %empty = icmp eq ptr %old, null
  br i1 %empty, label %done, label %copy

copy:
  %used = mul i64 %length, %bytes
  call void @llvm.memcpy.p0.p0.i64(ptr %new, ptr %old, i64 %used, i1 false)
  call void @torchcc.object_free(ptr %old)
  br label %done

done:
  ret i1 false
}

; Appends `count` elements of `source` from `start` on; the lists may be one. True after setting the error when there is
; no memory.
define i1 @torchcc.list_extend(ptr %list, ptr %source, i64 %start, i64 %count) nounwind {
entry:
  %length.at = getelementptr %List, ptr %list, i64 0, i32 3
  %length = load i64, ptr %length.at
  %total = add i64 %length, %count
  %failed = call i1 @torchcc.list_reserve(ptr %list, i64 %total)
  br i1 %failed, label %none, label %room

none:
  ret i1 true

room:
  %bytes.at = getelementptr %List, ptr %list, i64 0, i32 1
  %bytes = load i64, ptr %bytes.at
  %data.at = getelementptr %List, ptr %list, i64 0, i32 5
  %data = load ptr, ptr %data.at
  %source.data.at = getelementptr %List, ptr %source, i64 0, i32 5
  %source.data = load ptr, ptr %source.data.at
  %to.offset = mul i64 %length, %bytes
  %to = getelementptr i8, ptr %data, i64 %to.offset
  %from.offset = mul i64 %start, %bytes
  %from = getelementptr i8, ptr %source.data, i64 %from.offset
  %size = mul i64 %count, %bytes
  call void @llvm.memmove.p0.p0.i64(ptr %to, ptr %from, i64 %size, i1 false)
  store i64 %total, ptr %length.at
  %mask.at = getelementptr %List, ptr %list, i64 0, i32 2
  %mask = load i64, ptr %mask.at
  %width = lshr i64 %bytes, 3 ; slots
  %slots = mul i64 %count, %width
  %plain = icmp eq i64 %mask, 0
  %nothing = icmp eq i64 %slots, 0
  %skip = or i1 %plain, %nothing
  br i1 %skip, label %done, label %loop

loop:
  %i = phi i64 [ 0, %room ], [ %following, %next ]
  %k = urem i64 %i, %width
  %shifted = lshr i64 %mask, %k
  %holds = trunc i64 %shifted to i1
  br i1 %holds, label %take, label %next

take:
  %at = getelementptr ptr, ptr %to, i64 %i
  %object = load ptr, ptr %at
  call void @torchcc.retain(ptr %object)
  br label %next

next:
  %following = add i64 %i, 1
  %more = icmp ult i64 %following, %slots
  br i1 %more, label %loop, label %done

done:
  ret i1 false
}

; Makes room for one more element before the one at `index` (at the end for the length): its slots, uninitialised. Null
; after setting the error when there is no memory; the list is then as before.
define ptr @torchcc.list_room(ptr %list, i64 %index) nounwind {
  %length.at = getelementptr %List, ptr %list, i64 0, i32 3
  %length = load i64, ptr %length.at
  %capacity.at = getelementptr %List, ptr %list, i64 0, i32 4
  %capacity = load i64, ptr %capacity.at
  %full = icmp eq i64 %length, %capacity
  br i1 %full, label %grow, label %shift

grow:
  %failed = call i1 @torchcc.list_grow(ptr %list)
  br i1 %failed, label %none, label %shift

none:
  ret ptr null

shift:
  %bytes.at = getelementptr %List, ptr %list, i64 0, i32 1
  %bytes = load i64, ptr %bytes.at
  %data.at = getelementptr %List, ptr %list, i64 0, i32 5
  %data = load ptr, ptr %data.at
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
  %bytes = load i64, ptr %width.at
  %width = lshr i64 %bytes, 3 ; slots
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
  %bytes = load i64, ptr %width.at
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

; One reference more. Strings that are never given back have a negative count, and are read-only.
define void @torchcc.retain(ptr %object) nounwind {
  %none = icmp eq ptr %object, null
  br i1 %none, label %done, label %some

some:
  %count = load i64, ptr %object
  %forever = icmp slt i64 %count, 0
  br i1 %forever, label %done, label %add

add:
  %more = add i64 %count, 1
  store i64 %more, ptr %object
  br label %done

done:
  ret void
}

; Gives back one reference; with the last one, the object and what it holds.
define void @torchcc.release(ptr %object) nounwind {
  %last = call i1 @torchcc.count_down(ptr %object)
  br i1 %last, label %drop, label %done

drop:
  call void @torchcc.drop(ptr %object)
  br label %done

done:
  ret void
}

; One reference less; whether that was the last one.
define internal i1 @torchcc.count_down(ptr %object) alwaysinline nounwind {
  %none = icmp eq ptr %object, null
  br i1 %none, label %stays, label %some

some:
  %count = load i64, ptr %object
  %forever = icmp slt i64 %count, 0
  br i1 %forever, label %stays, label %subtract

subtract:
  %left = sub i64 %count, 1
  store i64 %left, ptr %object
  %last = icmp eq i64 %left, 0
  ret i1 %last

stays:
  ret i1 0
}

; Gives back one reference; if it was the last one, the object is put first among those that wait to be dropped.
define internal void @torchcc.give(ptr %object, ptr %waiting) nounwind {
  %last = call i1 @torchcc.count_down(ptr %object)
  br i1 %last, label %wait, label %done

wait:
  %old = load ptr, ptr %waiting
  store ptr %old, ptr %object ; in place of its count
  store ptr %object, ptr %waiting
  br label %done

done:
  ret void
}

; Gives back what the references among `count` fields of a record hold; their masks stand in front of them.
define internal void @torchcc.give_fields(ptr %masks, i64 %count, ptr %waiting) nounwind {
entry:
  %rounded = add i64 %count, 63
  %words = lshr i64 %rounded, 6
  %fields = getelementptr i64, ptr %masks, i64 %words
  br label %loop

loop:
  %i = phi i64 [ 0, %entry ], [ %following, %next ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %field, label %done

field:
  %word = lshr i64 %i, 6
  %mask.at = getelementptr i64, ptr %masks, i64 %word
  %mask = load i64, ptr %mask.at
  %bit = and i64 %i, 63
  %shifted = lshr i64 %mask, %bit
  %holds = trunc i64 %shifted to i1
  br i1 %holds, label %give, label %next

give:
  %at = getelementptr ptr, ptr %fields, i64 %i
  %object = load ptr, ptr %at
  call void @torchcc.give(ptr %object, ptr %waiting)
  br label %next

next:
  %following = add i64 %i, 1
  br label %loop

done:
  ret void
}

; Gives back what the elements of a list hold.
define internal void @torchcc.give_elements(ptr %list, ptr %waiting) nounwind {
entry:
  %width.at = getelementptr %List, ptr %list, i64 0, i32 1
  %bytes = load i64, ptr %width.at
  %width = lshr i64 %bytes, 3 ; slots
  %mask.at = getelementptr %List, ptr %list, i64 0, i32 2
  %mask = load i64, ptr %mask.at
  %length.at = getelementptr %List, ptr %list, i64 0, i32 3
  %length = load i64, ptr %length.at
  %data.at = getelementptr %List, ptr %list, i64 0, i32 5
  %data = load ptr, ptr %data.at
  %slots = mul i64 %length, %width
  %plain = icmp eq i64 %mask, 0
  %end = select i1 %plain, i64 0, i64 %slots
  br label %loop

loop:
  %i = phi i64 [ 0, %entry ], [ %following, %next ]
  %more = icmp ult i64 %i, %end
  br i1 %more, label %slot, label %done

slot:
  %k = urem i64 %i, %width
  %shifted = lshr i64 %mask, %k
  %holds = trunc i64 %shifted to i1
  br i1 %holds, label %give, label %next

give:
  %at = getelementptr ptr, ptr %data, i64 %i
  %object = load ptr, ptr %at
  call void @torchcc.give(ptr %object, ptr %waiting)
  br label %next

next:
  %following = add i64 %i, 1
  br label %loop

done:
  ret void
}

; Frees an object that nobody refers to, and those that only it refers to: one after the other, not by recursion, since
; records may stand in long chains.
define internal void @torchcc.drop(ptr %first) nounwind {
entry:
  %waiting = alloca ptr
  store ptr null, ptr %waiting
  br label %kind

kind:
  %object = phi ptr [ %first, %entry ], [ %next, %following ]
  %width.at = getelementptr i64, ptr %object, i64 1
  %width = load i64, ptr %width.at
  switch i64 %width, label %list [ i64 -3, label %future
                                   i64 -2, label %record
                                   i64 -1, label %dict
                                   i64 0, label %free ]

dict:
  call void @torchcc.dict_drop(ptr %object, ptr %waiting)
  br label %more

future:
  call void @torchcc.future_drop(ptr %object)
  %fields.at = getelementptr i64, ptr %object, i64 2
  %fields = load i64, ptr %fields.at
  %future.masks = getelementptr i64, ptr %object, i64 12
  call void @torchcc.give_fields(ptr %future.masks, i64 %fields, ptr %waiting)
  br label %free

record:
  %count.at = getelementptr i64, ptr %object, i64 2
  %count = load i64, ptr %count.at
  %masks = getelementptr i64, ptr %object, i64 3
  call void @torchcc.give_fields(ptr %masks, i64 %count, ptr %waiting)
  br label %free

list:
  call void @torchcc.give_elements(ptr %object, ptr %waiting)
  %data.at = getelementptr %List, ptr %object, i64 0, i32 5
  %data = load ptr, ptr %data.at
  %none = icmp eq ptr %data, null
  br i1 %none, label %free, label %elements

elements:
  call void @torchcc.object_free(ptr %data)
  br label %free

free:
  call void @torchcc.object_free(ptr %object)
  br label %more

more:
  %next = load ptr, ptr %waiting
  %done = icmp eq ptr %next, null
  br i1 %done, label %end, label %following

following:
  %rest = load ptr, ptr %next
  store ptr %rest, ptr %waiting
  br label %kind

end:
  ret void
}

; A record of that many bytes in all, with so many fields: zero and null. The masks are for the caller to store.
define ptr @torchcc.record_new(i64 %size, i64 %fields) nounwind {
  %record = call ptr @torchcc.object_alloc(i64 %size)
  %failed = icmp eq ptr %record, null
  br i1 %failed, label %done, label %fill

fill:
  call void @llvm.memset.p0.i64(ptr align 8 %record, i8 0, i64 %size, i1 false)
  store i64 1, ptr %record
  %width.at = getelementptr i64, ptr %record, i64 1
  store i64 -2, ptr %width.at
  %count.at = getelementptr i64, ptr %record, i64 2
  store i64 %fields, ptr %count.at
  br label %done

done:
  ret ptr %record
}
