; Memory of a call: heap blocks and the arena of each thread.
;
; Heap blocks hold results. Each is listed in its thread's state until it is handed to the caller, so that what a failed
; call leaves behind is freed. A block's header (64 bytes before the data) is { previous, next }, its size at byte
; 40, and { -1, state } in its last 16 bytes (see objects.ll); blocks and arena chunks are aligned to 64 bytes.
;
; The arena holds everything else. It is a stack of chunks { older chunk, capacity, used }, grown on demand; when it is
; empty again and had several chunks, the next call gets one that is as large as all of them, so that a call in steady
; state touches no fresh memory.

declare i32 @posix_memalign(ptr, i64, i64)

define internal ptr @torchcc.aligned(i64 %size) nounwind {
  %slot = alloca ptr
  %padded = add i64 %size, 128 ; header, and room for vector code to round up
  %failed = call i32 @posix_memalign(ptr %slot, i64 64, i64 %padded)
  %bad = icmp ne i32 %failed, 0
  br i1 %bad, label %none, label %good

none:
  call void @torchcc.out_of_memory(i64 %size)
  ret ptr null

good:
  %memory = load ptr, ptr %slot
  ret ptr %memory
}

; A heap block of that many bytes; null after setting the error when there is no memory.
define noalias ptr @torchcc.alloc(i64 %size) nounwind {
  %block = call ptr @torchcc.block(i64 %size)
  %failed = icmp eq ptr %block, null
  br i1 %failed, label %none, label %link

none:
  ret ptr null

link:
  %state = call ptr @torchcc.state()
  %state.next = getelementptr { ptr, ptr }, ptr %state, i64 0, i32 1
  %old = load ptr, ptr %state.next
  store ptr %state, ptr %block
  %block.next = getelementptr { ptr, ptr }, ptr %block, i64 0, i32 1
  store ptr %old, ptr %block.next
  store ptr %block, ptr %old
  store ptr %block, ptr %state.next
  %whole.at = getelementptr i8, ptr %block, i64 48
  store i64 -1, ptr %whole.at
  %owner.at = getelementptr i8, ptr %block, i64 56
  store ptr %state, ptr %owner.at
  %data = getelementptr i8, ptr %block, i64 64
  ret ptr %data
}

; Takes the block out of its thread's list: it now belongs to whoever calls this.
define void @torchcc.detach(ptr %data) nounwind {
  %block = getelementptr i8, ptr %data, i64 -64
  %previous = load ptr, ptr %block
  %block.next = getelementptr { ptr, ptr }, ptr %block, i64 0, i32 1
  %next = load ptr, ptr %block.next
  %previous.next = getelementptr { ptr, ptr }, ptr %previous, i64 0, i32 1
  store ptr %next, ptr %previous.next
  store ptr %previous, ptr %next
  ret void
}

define void @torchcc.free_detached(ptr %data) nounwind {
  %block = getelementptr i8, ptr %data, i64 -64
  call void @torchcc.keep_block(ptr %block)
  ret void
}

; A few large blocks that were given back are kept for whoever wants one next: touching fresh memory costs more than
; filling it (results of 16 MB: 6 ms of page faults for 2 ms of work). 4 of at most 32 MB, for the whole process; one is
; taken or put in by a single exchange. When all are there, the last gives way.
@torchcc.kept = internal global [4 x ptr] zeroinitializer

; A heap block with room for that many bytes behind its header, or null.
define internal ptr @torchcc.block(i64 %size) nounwind {
entry:
  %from.least = sub i64 %size, 65536
  %may.be.kept = icmp ult i64 %from.least, 33488896
  br i1 %may.be.kept, label %look, label %new

look:
  %most = shl i64 %size, 2
  br label %loop

loop:
  %i = phi i64 [ 0, %look ], [ %following, %next ]
  %slot = getelementptr [4 x ptr], ptr @torchcc.kept, i64 0, i64 %i
  %kept = atomicrmw xchg ptr %slot, ptr null acquire
  %none = icmp eq ptr %kept, null
  br i1 %none, label %next, label %measure

measure:
  %kept.size.at = getelementptr i8, ptr %kept, i64 40
  %kept.size = load i64, ptr %kept.size.at
  %large = icmp uge i64 %kept.size, %size
  %small = icmp ule i64 %kept.size, %most
  %fits = and i1 %large, %small
  br i1 %fits, label %take, label %back

take:
  ret ptr %kept

back:
  %exchange = cmpxchg ptr %slot, ptr null, ptr %kept release monotonic
  %is.back = extractvalue { ptr, i1 } %exchange, 1
  br i1 %is.back, label %next, label %drop

drop:
  call void @free(ptr %kept)
  br label %next

next:
  %following = add i64 %i, 1
  %more = icmp ult i64 %following, 4
  br i1 %more, label %loop, label %new

new:
  %block = call ptr @torchcc.aligned(i64 %size)
  %failed = icmp eq ptr %block, null
  br i1 %failed, label %done, label %note

note:
  %size.at = getelementptr i8, ptr %block, i64 40
  store i64 %size, ptr %size.at
  br label %done

done:
  ret ptr %block
}

; Gives a heap block back.
define internal void @torchcc.keep_block(ptr %block) nounwind {
entry:
  %size.at = getelementptr i8, ptr %block, i64 40
  %size = load i64, ptr %size.at
  %from.least = sub i64 %size, 65536
  %may.be.kept = icmp ult i64 %from.least, 33488896
  br i1 %may.be.kept, label %loop, label %drop

loop:
  %i = phi i64 [ 0, %entry ], [ %following, %next ]
  %slot = getelementptr [4 x ptr], ptr @torchcc.kept, i64 0, i64 %i
  %exchange = cmpxchg ptr %slot, ptr null, ptr %block release monotonic
  %is.kept = extractvalue { ptr, i1 } %exchange, 1
  br i1 %is.kept, label %done, label %next

next:
  %following = add i64 %i, 1
  %more = icmp ult i64 %following, 4
  br i1 %more, label %loop, label %replace

replace: ; the newest is what is wanted again soonest
  %oldest = atomicrmw xchg ptr %slot, ptr %block acq_rel
  call void @free(ptr %oldest)
  ret void

drop:
  call void @free(ptr %block)
  ret void

done:
  ret void
}

define void @torchcc.dealloc(ptr %data) nounwind {
  call void @torchcc.detach(ptr %data)
  call void @torchcc.free_detached(ptr %data)
  ret void
}

; The newest block, up to which `free_blocks` frees.
define ptr @torchcc.block_mark() nounwind {
  %state = call ptr @torchcc.state()
  %next = getelementptr { ptr, ptr }, ptr %state, i64 0, i32 1
  %block = load ptr, ptr %next
  ret ptr %block
}

; Ends a call: frees what is left of its blocks, writes what it printed.
define void @torchcc.free_blocks(ptr %mark) nounwind {
entry:
  %state = call ptr @torchcc.state()
  %state.next = getelementptr { ptr, ptr }, ptr %state, i64 0, i32 1
  br label %loop

loop:
  %block = load ptr, ptr %state.next
  %at.mark = icmp eq ptr %block, %mark
  %at.end = icmp eq ptr %block, %state
  %stop = or i1 %at.mark, %at.end
  br i1 %stop, label %done, label %drop

drop:
  %data = getelementptr i8, ptr %block, i64 64
  call void @torchcc.dealloc(ptr %data)
  br label %loop

done:
  %slab.at = getelementptr %State, ptr %state, i64 0, i32 15
  %slab = load i64, ptr %slab.at
  %no.objects = icmp eq i64 %slab, 0
  br i1 %no.objects, label %text, label %forget

forget:
  ; inside a parallel region the call goes on, and puts objects into the lists again: they have to be forgotten again
  call void @torchcc.forget_objects(ptr %state)
  store i64 1, ptr %slab.at
  br label %text

text:
  %printed.at = getelementptr %State, ptr %state, i64 0, i32 11
  %printed = load i64, ptr %printed.at
  %nothing = icmp eq i64 %printed, 0
  br i1 %nothing, label %return, label %print

print:
  call void @torchcc.flush(ptr %state)
  br label %return

return:
  ret void
}

; %Chunk is { older, capacity, used }
define noalias ptr @torchcc.arena_reserve(i64 %size) nounwind {
entry:
  %state = call ptr @torchcc.state()
  %head = getelementptr %State, ptr %state, i64 0, i32 2
  %rounded.up = add i64 %size, 63
  %rounded = and i64 %rounded.up, -64
  %newest = load ptr, ptr %head
  %empty = icmp eq ptr %newest, null
  br i1 %empty, label %grow, label %try

try:
  %capacity.at = getelementptr { ptr, i64, i64 }, ptr %newest, i64 0, i32 1
  %capacity = load i64, ptr %capacity.at
  %used.at = getelementptr { ptr, i64, i64 }, ptr %newest, i64 0, i32 2
  %used = load i64, ptr %used.at
  %room = sub i64 %capacity, %used
  %fits = icmp ule i64 %rounded, %room
  br i1 %fits, label %take, label %grow

take:
  %after = add i64 %used, %rounded
  store i64 %after, ptr %used.at
  %base = getelementptr i8, ptr %newest, i64 64
  %place = getelementptr i8, ptr %base, i64 %used
  ret ptr %place

grow:
  %twice.of = phi i64 [ 0, %entry ], [ %capacity, %try ]
  %twice = shl i64 %twice.of, 1
  %wanted.at = getelementptr %State, ptr %state, i64 0, i32 3
  %wanted = load i64, ptr %wanted.at
  store i64 0, ptr %wanted.at
  %least = call i64 @llvm.umax.i64(i64 %wanted, i64 65536)
  %more = call i64 @llvm.umax.i64(i64 %least, i64 %twice)
  ; a huge request is served exactly: doubling it could fail for nothing
  %huge = icmp ugt i64 %rounded, 268435456
  %either = call i64 @llvm.umax.i64(i64 %more, i64 %rounded)
  %new.capacity = select i1 %huge, i64 %rounded, i64 %either
  %chunk = call ptr @torchcc.aligned(i64 %new.capacity)
  %failed = icmp eq ptr %chunk, null
  br i1 %failed, label %none, label %link

none:
  ret ptr null

link:
  store ptr %newest, ptr %chunk
  %chunk.capacity = getelementptr { ptr, i64, i64 }, ptr %chunk, i64 0, i32 1
  store i64 %new.capacity, ptr %chunk.capacity
  %chunk.used = getelementptr { ptr, i64, i64 }, ptr %chunk, i64 0, i32 2
  store i64 %rounded, ptr %chunk.used
  store ptr %chunk, ptr %head
  %first = getelementptr i8, ptr %chunk, i64 64
  ret ptr %first
}

declare i64 @llvm.umax.i64(i64, i64)

; The top of the arena; null when it is empty.
define ptr @torchcc.arena_mark() nounwind {
  %state = call ptr @torchcc.state()
  %head = getelementptr %State, ptr %state, i64 0, i32 2
  %chunk = load ptr, ptr %head
  %none = icmp eq ptr %chunk, null
  br i1 %none, label %empty, label %some

empty:
  ret ptr null

some:
  %used.at = getelementptr { ptr, i64, i64 }, ptr %chunk, i64 0, i32 2
  %used = load i64, ptr %used.at
  %older = load ptr, ptr %chunk
  %only = icmp eq ptr %older, null
  %unused = icmp eq i64 %used, 0
  %nothing = and i1 %only, %unused
  %base = getelementptr i8, ptr %chunk, i64 64
  %top = getelementptr i8, ptr %base, i64 %used
  %mark = select i1 %nothing, ptr null, ptr %top
  ret ptr %mark
}

; Gives back everything reserved since that mark was taken. A chunk that was added since stays, empty, until the arena is
; empty: a loop that reserves in every round would else get fresh memory in every round.
define void @torchcc.arena_release(ptr %mark) nounwind {
entry:
  %state = call ptr @torchcc.state()
  %head = getelementptr %State, ptr %state, i64 0, i32 2
  %all = icmp eq ptr %mark, null
  br label %loop

loop:
  %dropped = phi i64 [ 0, %entry ], [ %dropped.more, %drop ]
  %chunk = load ptr, ptr %head
  %none = icmp eq ptr %chunk, null
  br i1 %none, label %emptied, label %some

some:
  %base = getelementptr i8, ptr %chunk, i64 64
  %capacity.at = getelementptr { ptr, i64, i64 }, ptr %chunk, i64 0, i32 1
  %capacity = load i64, ptr %capacity.at
  %used.at = getelementptr { ptr, i64, i64 }, ptr %chunk, i64 0, i32 2
  br i1 %all, label %whole, label %partial

whole:
  %older.whole = load ptr, ptr %chunk
  %bottom = icmp eq ptr %older.whole, null
  %single = icmp eq i64 %dropped, 0
  %keep = and i1 %bottom, %single
  br i1 %keep, label %reset, label %drop

reset:
  store i64 0, ptr %used.at
  ret void

partial:
  %limit = getelementptr i8, ptr %base, i64 %capacity
  %above = icmp uge ptr %mark, %base
  %below = icmp ule ptr %mark, %limit
  %inside = and i1 %above, %below
  br i1 %inside, label %cut, label %reset

cut:
  %mark.address = ptrtoint ptr %mark to i64
  %base.address = ptrtoint ptr %base to i64
  %kept = sub i64 %mark.address, %base.address
  store i64 %kept, ptr %used.at
  ret void

drop:
  %older = load ptr, ptr %chunk
  store ptr %older, ptr %head
  call void @free(ptr %chunk)
  %dropped.more = add i64 %dropped, %capacity
  br label %loop

emptied:
  ; what an inner release has asked for stays: one that finds the arena empty has nothing to say
  %wanted.at = getelementptr %State, ptr %state, i64 0, i32 3
  %asked = load i64, ptr %wanted.at
  %wanted = call i64 @llvm.umax.i64(i64 %asked, i64 %dropped)
  store i64 %wanted, ptr %wanted.at
  ret void
}
