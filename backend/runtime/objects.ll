; Memory of reference-counted objects: small blocks, handed out again from lists of free ones.
;
; A small block comes from a slab, a heap block of the call (memory.ll), and lies behind 16 bytes that say how large it
; is, in units of 32 bytes, and whose thread's it is; a free one holds the next free one of its size behind that. A large
; object is a heap block of its own, whose header has -1 in the place of the size. All objects belong to one call: what it leaves behind goes with its slabs.

; A block of that many bytes, aligned to 16; null after setting the error when there is no memory.
define noalias ptr @torchcc.object_alloc(i64 %size) nounwind {
  %state = call ptr @torchcc.state()
  %live.at = getelementptr %State, ptr %state, i64 0, i32 16
  %live = load i64, ptr %live.at
  %one.more = add i64 %live, 1
  store i64 %one.more, ptr %live.at
  %is.large = icmp ugt i64 %size, 1008
  br i1 %is.large, label %large, label %small

large:
  %block = call ptr @torchcc.alloc(i64 %size)
  ret ptr %block

small:
  %padded = add i64 %size, 47 ; the header, rounded up
  %units = lshr i64 %padded, 5
  %list = getelementptr %State, ptr %state, i64 0, i32 12, i64 %units
  %free = load ptr, ptr %list
  %none = icmp eq ptr %free, null
  br i1 %none, label %fresh, label %again

again:
  %next = load ptr, ptr %free
  store ptr %next, ptr %list
  ret ptr %free

fresh:
  %bytes = shl i64 %units, 5
  %top.at = getelementptr %State, ptr %state, i64 0, i32 13
  %left.at = getelementptr %State, ptr %state, i64 0, i32 14
  %left = load i64, ptr %left.at
  %fits = icmp uge i64 %left, %bytes
  br i1 %fits, label %take, label %grow

grow:
  %slab.at = getelementptr %State, ptr %state, i64 0, i32 15
  %last = load i64, ptr %slab.at
  %twice = shl i64 %last, 1
  %least = call i64 @llvm.umax.i64(i64 %twice, i64 4096)
  %capacity = call i64 @llvm.umin.i64(i64 %least, i64 1048576)
  %slab = call ptr @torchcc.alloc(i64 %capacity)
  %failed = icmp eq ptr %slab, null
  br i1 %failed, label %nothing, label %start

nothing:
  ret ptr null

start:
  store i64 %capacity, ptr %slab.at
  store ptr %slab, ptr %top.at
  store i64 %capacity, ptr %left.at
  br label %take

take:
  %top = load ptr, ptr %top.at
  %room = load i64, ptr %left.at
  %above = getelementptr i8, ptr %top, i64 %bytes
  store ptr %above, ptr %top.at
  %rest = sub i64 %room, %bytes
  store i64 %rest, ptr %left.at
  store i64 %units, ptr %top
  %owner.at = getelementptr i8, ptr %top, i64 8
  store ptr %state, ptr %owner.at
  %data = getelementptr i8, ptr %top, i64 16
  ret ptr %data
}

; The same, aligned to 64 bytes like all that vector code works on.
define noalias ptr @torchcc.object_alloc_aligned(i64 %size) nounwind {
  %state = call ptr @torchcc.state()
  %live.at = getelementptr %State, ptr %state, i64 0, i32 16
  %live = load i64, ptr %live.at
  %one.more = add i64 %live, 1
  store i64 %one.more, ptr %live.at
  %block = call ptr @torchcc.alloc(i64 %size)
  ret ptr %block
}

define void @torchcc.object_free(ptr %data) nounwind {
  %state.at = getelementptr i8, ptr %data, i64 -8
  %state = load ptr, ptr %state.at
  %live.at = getelementptr %State, ptr %state, i64 0, i32 16
  %live = load i64, ptr %live.at
  %one.less = sub i64 %live, 1
  store i64 %one.less, ptr %live.at
  %units.at = getelementptr i8, ptr %data, i64 -16
  %units = load i64, ptr %units.at
  %is.large = icmp slt i64 %units, 0
  br i1 %is.large, label %large, label %small

large:
  call void @torchcc.dealloc(ptr %data)
  ret void

small:
  %list = getelementptr %State, ptr %state, i64 0, i32 12, i64 %units
  %next = load ptr, ptr %list
  store ptr %next, ptr %data
  store ptr %data, ptr %list
  ret void
}

; Forgets all free blocks: their slabs are about to go.
define internal void @torchcc.forget_objects(ptr %state) nounwind {
  %lists = getelementptr %State, ptr %state, i64 0, i32 12
  %end = getelementptr %State, ptr %state, i64 0, i32 16
  %from = ptrtoint ptr %lists to i64
  %to = ptrtoint ptr %end to i64
  %size = sub i64 %to, %from
  call void @llvm.memset.p0.i64(ptr %lists, i8 0, i64 %size, i1 false)
  ret void
}

@torchcc.left = internal global i64 0 ; objects that calls which raised nothing have not given back

define i64 @torchcc.objects_left() nounwind {
  %left = load atomic i64, ptr @torchcc.left seq_cst, align 8
  ret i64 %left
}

; Ends a call: frees what is left of its memory. `good`: it raised nothing, so no object should be left.
define void @torchcc.end_call(ptr %mark, i1 %good) nounwind {
entry:
  %state = call ptr @torchcc.state()
  %live.at = getelementptr %State, ptr %state, i64 0, i32 16
  %future.at = getelementptr %State, ptr %state, i64 0, i32 17
  %future = load ptr, ptr %future.at
  %forked.at = getelementptr %State, ptr %state, i64 0, i32 18
  %forked = load ptr, ptr %forked.at
  %no.future = icmp eq ptr %future, null
  %no.forked = icmp eq ptr %forked, null
  %alone = and i1 %no.future, %no.forked
  br i1 %alone, label %count, label %join

join:
  call void @torchcc.end_futures(ptr %state)
  %inner = call i64 @torchcc.free_states(ptr %state)
  %own = load i64, ptr %live.at
  %together = add i64 %own, %inner
  store i64 %together, ptr %live.at
  br label %count

count:
  %live = load i64, ptr %live.at
  %none = icmp eq i64 %live, 0
  br i1 %none, label %free, label %some

some:
  store i64 0, ptr %live.at
  %counted = select i1 %good, i64 %live, i64 0
  %before = atomicrmw add ptr @torchcc.left, i64 %counted seq_cst, align 8
  br label %free

free:
  call void @torchcc.free_blocks(ptr %mark)
  %slab.at = getelementptr %State, ptr %state, i64 0, i32 15
  store i64 0, ptr %slab.at
  ret void
}
