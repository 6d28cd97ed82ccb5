; Dicts whose keys are known at run time: reference-counted heap blocks, hash tables in the order of insertion.
;
; An object begins with { count, -1 }. Its entries stand one after the other, in words of 8 bytes: the high half of the
; key's hash (-1 where an entry was removed), the key, the slots of the value. The index, in the same heap block in
; front of the entries, has twice as many slots as there is room for entries, searched one after the other from where the
; hash says: hash << 32 | position + 1, or 0. An entry that is removed leaves no mark in the index: those behind it
; move up. `first`: no entry in front of that position is left. `last`: where a key was found last, or -1.
;
; Hashes depend on a number that is drawn once per process, so that nobody can choose keys that collide.

@torchcc.dict_seed = internal global i64 0

define internal i64 @torchcc.dict_new_seed() nounwind {
  %known = load atomic i64, ptr @torchcc.dict_seed monotonic, align 8
  %drawn = icmp ne i64 %known, 0
  br i1 %drawn, label %old, label %new

old:
  ret i64 %known

new:
  %room = alloca i64
  store i64 0, ptr %room
  %status = call i32 @getentropy(ptr %room, i64 8)
  %bits = load i64, ptr %room
  %seed = or i64 %bits, 1
  store atomic i64 %seed, ptr @torchcc.dict_seed monotonic, align 8
  ret i64 %seed
}

; An empty dict; null after setting the error when there is no memory. `width`: words of an entry, `references`: which of
; them hold references.
define ptr @torchcc.dict_new(i64 %width, i64 %references) nounwind {
  %size = ptrtoint ptr getelementptr (%Dict, ptr null, i64 1) to i64
  %dict = call ptr @torchcc.object_alloc(i64 %size)
  %failed = icmp eq ptr %dict, null
  br i1 %failed, label %none, label %fill

none:
  ret ptr null

fill:
  store i64 1, ptr %dict
  %kind.at = getelementptr %Dict, ptr %dict, i64 0, i32 1
  store i64 -1, ptr %kind.at
  %index.at = getelementptr %Dict, ptr %dict, i64 0, i32 3
  store ptr null, ptr %index.at
  %seed.at = getelementptr %Dict, ptr %dict, i64 0, i32 5
  %seed = call i64 @torchcc.dict_new_seed()
  store i64 %seed, ptr %seed.at
  %used.at = getelementptr %Dict, ptr %dict, i64 0, i32 7
  store i64 0, ptr %used.at
  %length.at = getelementptr %Dict, ptr %dict, i64 0, i32 8
  store i64 0, ptr %length.at
  %width.at = getelementptr %Dict, ptr %dict, i64 0, i32 11
  store i64 %width, ptr %width.at
  %references.at = getelementptr %Dict, ptr %dict, i64 0, i32 12
  store i64 %references, ptr %references.at
  %full = call i1 @torchcc.dict_rebuild(ptr %dict, i64 8)
  br i1 %full, label %none, label %done

done:
  ret ptr %dict
}

; Gives the dict a new table with room for `capacity` entries, a power of two, without what was removed. True after
; setting the error when there is no memory; the dict is then as before.
define internal i1 @torchcc.dict_rebuild(ptr %dict, i64 %capacity) nounwind {
entry:
  %width.at = getelementptr %Dict, ptr %dict, i64 0, i32 11
  %width = load i64, ptr %width.at
  %bytes = shl i64 %width, 3
  %per.entry = add i64 %bytes, 16
  %size.checked = call { i64, i1 } @llvm.umul.with.overflow.i64(i64 %capacity, i64 %per.entry)
  %size.exact = extractvalue { i64, i1 } %size.checked, 0
  %overflow = extractvalue { i64, i1 } %size.checked, 1
  %many = icmp ugt i64 %capacity, 2147483648 ; positions take 32 bits of the index
  %impossible = or i1 %overflow, %many
  %size = select i1 %impossible, i64 1152921504606846976, i64 %size.exact
  %table = call ptr @torchcc.object_alloc(i64 %size)
  %failed = icmp eq ptr %table, null
  br i1 %failed, label %none, label %start

none:
  ret i1 true

start:
  %index.size = shl i64 %capacity, 4
  call void @llvm.memset.p0.i64(ptr %table, i8 0, i64 %index.size, i1 false)
  %slots = shl i64 %capacity, 1
  %mask = sub i64 %slots, 1
  %entries = getelementptr i8, ptr %table, i64 %index.size
  %entries.at = getelementptr %Dict, ptr %dict, i64 0, i32 2
  %index.at = getelementptr %Dict, ptr %dict, i64 0, i32 3
  %mask.at = getelementptr %Dict, ptr %dict, i64 0, i32 4
  %last.at = getelementptr %Dict, ptr %dict, i64 0, i32 6
  %used.at = getelementptr %Dict, ptr %dict, i64 0, i32 7
  %capacity.at = getelementptr %Dict, ptr %dict, i64 0, i32 9
  %first.at = getelementptr %Dict, ptr %dict, i64 0, i32 10
  %old.index = load ptr, ptr %index.at
  %used = load i64, ptr %used.at
  %empty = icmp eq i64 %used, 0
  br i1 %empty, label %finish, label %begin

begin:
  %old.entries = load ptr, ptr %entries.at
  br label %loop

loop:
  %i = phi i64 [ 0, %begin ], [ %i.next, %next ]
  %kept = phi i64 [ 0, %begin ], [ %kept.next, %next ]
  %from.offset = mul i64 %i, %bytes
  %from = getelementptr i8, ptr %old.entries, i64 %from.offset
  %hash = load i64, ptr %from
  %gone = icmp slt i64 %hash, 0
  br i1 %gone, label %next, label %move

move:
  %to.offset = mul i64 %kept, %bytes
  %to = getelementptr i8, ptr %entries, i64 %to.offset
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 false)
  %kept.more = add i64 %kept, 1
  call void @torchcc.dict_enter(ptr %table, i64 %mask, i64 %hash, i64 %kept.more)
  br label %next

next:
  %kept.next = phi i64 [ %kept, %loop ], [ %kept.more, %move ]
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %used
  br i1 %more, label %loop, label %finish

finish:
  %total = phi i64 [ 0, %start ], [ %kept.next, %next ]
  store ptr %entries, ptr %entries.at
  store ptr %table, ptr %index.at
  store i64 %mask, ptr %mask.at
  store i64 -1, ptr %last.at
  store i64 %total, ptr %used.at
  store i64 %capacity, ptr %capacity.at
  store i64 0, ptr %first.at
  %had.none = icmp eq ptr %old.index, null
  br i1 %had.none, label %done, label %drop

drop:
  call void @torchcc.object_free(ptr %old.index)
  br label %done

done:
  ret i1 false
}

; Enters position `number` - 1 in the index.
define internal void @torchcc.dict_enter(ptr %index, i64 %mask, i64 %hash, i64 %number) alwaysinline nounwind {
entry:
  br label %loop

loop:
  %from = phi i64 [ %hash, %entry ], [ %following, %next ]
  %i = and i64 %from, %mask
  %slot.at = getelementptr i64, ptr %index, i64 %i
  %slot = load i64, ptr %slot.at
  %free = icmp eq i64 %slot, 0
  br i1 %free, label %done, label %next

next:
  %following = add i64 %i, 1
  br label %loop

done:
  %tag = shl i64 %hash, 32
  %entered = or i64 %tag, %number
  store i64 %entered, ptr %slot.at
  ret void
}

; A new last entry with that hash, its values zero; null where memory is out.
define internal ptr @torchcc.dict_append(ptr %dict, i64 %hash) nounwind {
entry:
  %used.at = getelementptr %Dict, ptr %dict, i64 0, i32 7
  %used.before = load i64, ptr %used.at
  %capacity.at = getelementptr %Dict, ptr %dict, i64 0, i32 9
  %capacity = load i64, ptr %capacity.at
  %full = icmp eq i64 %used.before, %capacity
  %length.at = getelementptr %Dict, ptr %dict, i64 0, i32 8
  %length = load i64, ptr %length.at
  br i1 %full, label %grow, label %add

grow:
  ; where half of the entries were removed, there is room enough without them
  %half = lshr i64 %capacity, 1
  %many = icmp ugt i64 %length, %half
  %twice = shl i64 %capacity, 1
  %wanted = select i1 %many, i64 %twice, i64 %capacity
  %failed = call i1 @torchcc.dict_rebuild(ptr %dict, i64 %wanted)
  br i1 %failed, label %none, label %add

none:
  ret ptr null

add:
  %used = load i64, ptr %used.at
  %more = add i64 %used, 1
  store i64 %more, ptr %used.at
  %longer = add i64 %length, 1
  store i64 %longer, ptr %length.at
  %last.at = getelementptr %Dict, ptr %dict, i64 0, i32 6
  store i64 %used, ptr %last.at
  %index.at = getelementptr %Dict, ptr %dict, i64 0, i32 3
  %index = load ptr, ptr %index.at
  %mask.at = getelementptr %Dict, ptr %dict, i64 0, i32 4
  %mask = load i64, ptr %mask.at
  %high = lshr i64 %hash, 32
  call void @torchcc.dict_enter(ptr %index, i64 %mask, i64 %high, i64 %more)
  %width.at = getelementptr %Dict, ptr %dict, i64 0, i32 11
  %width = load i64, ptr %width.at
  %entry.new = call ptr @torchcc.dict_at(ptr %dict, i64 %used, i64 %width)
  store i64 %high, ptr %entry.new
  %values = getelementptr i64, ptr %entry.new, i64 2
  %words = sub i64 %width, 2
  %bytes = shl i64 %words, 3
  call void @llvm.memset.p0.i64(ptr %values, i8 0, i64 %bytes, i1 false)
  ret ptr %entry.new
}

; A new last entry for a key that there is none of: its values zero; null where memory is out.
define ptr @torchcc.dict_insert_i64(ptr %dict, i64 %key) nounwind {
  %seed.at = getelementptr %Dict, ptr %dict, i64 0, i32 5
  %seed = load i64, ptr %seed.at
  %hash = call i64 @torchcc.dict_hash(i64 %key, i64 %seed)
  %entry = call ptr @torchcc.dict_append(ptr %dict, i64 %hash)
  %failed = icmp eq ptr %entry, null
  br i1 %failed, label %done, label %fill

fill:
  %key.at = getelementptr i64, ptr %entry, i64 1
  store i64 %key, ptr %key.at
  br label %done

done:
  ret ptr %entry
}

; A new last entry for a key that there is none of: its values zero; null where memory is out.
define ptr @torchcc.dict_insert_f64(ptr %dict, double %key) nounwind {
  %seed.at = getelementptr %Dict, ptr %dict, i64 0, i32 5
  %seed = load i64, ptr %seed.at
  %plain = call i64 @torchcc.dict_float_bits(double %key)
  ; nan is no key twice: many of them must not stand in one place
  %nan = fcmp uno double %key, %key
  %used.at = getelementptr %Dict, ptr %dict, i64 0, i32 7
  %used = load i64, ptr %used.at
  %bits = select i1 %nan, i64 %used, i64 %plain
  %hash = call i64 @torchcc.dict_hash(i64 %bits, i64 %seed)
  %entry = call ptr @torchcc.dict_append(ptr %dict, i64 %hash)
  %failed = icmp eq ptr %entry, null
  br i1 %failed, label %done, label %fill

fill:
  %key.at = getelementptr i64, ptr %entry, i64 1
  store double %key, ptr %key.at
  br label %done

done:
  ret ptr %entry
}

; A new last entry for a key that there is none of: its values zero; null where memory is out.
define ptr @torchcc.dict_insert_c128(ptr %dict, double %re, double %im) nounwind {
  %seed.at = getelementptr %Dict, ptr %dict, i64 0, i32 5
  %seed = load i64, ptr %seed.at
  %plain = call i64 @torchcc.dict_hash_c128(double %re, double %im, i64 %seed)
  ; nan is no key twice: many of them must not stand in one place
  %nan = fcmp uno double %re, %im
  %used.at = getelementptr %Dict, ptr %dict, i64 0, i32 7
  %used = load i64, ptr %used.at
  %scattered = call i64 @torchcc.dict_hash(i64 %used, i64 %seed)
  %hash = select i1 %nan, i64 %scattered, i64 %plain
  %entry = call ptr @torchcc.dict_append(ptr %dict, i64 %hash)
  %failed = icmp eq ptr %entry, null
  br i1 %failed, label %done, label %fill

fill:
  %re.at = getelementptr i64, ptr %entry, i64 1
  store double %re, ptr %re.at
  %im.at = getelementptr i64, ptr %entry, i64 2
  store double %im, ptr %im.at
  br label %done

done:
  ret ptr %entry
}

; A new last entry for a key that there is none of, `key`, or a new string of these bytes where that is null: its values
; zero; null where memory is out.
define ptr @torchcc.dict_insert_str(ptr %dict, ptr %key, ptr %bytes, i64 %count) nounwind {
entry:
  %given = icmp ne ptr %key, null
  br i1 %given, label %keep, label %copy

keep:
  call void @torchcc.retain(ptr %key)
  br label %append

copy:
  %made = call ptr @torchcc.str_copy(ptr %bytes, i64 %count)
  %no.memory = icmp eq ptr %made, null
  br i1 %no.memory, label %none, label %append

append:
  %own = phi ptr [ %key, %keep ], [ %made, %copy ]
  %seed.at = getelementptr %Dict, ptr %dict, i64 0, i32 5
  %seed = load i64, ptr %seed.at
  %hash = call i64 @torchcc.str_hash(ptr %bytes, i64 %count, i64 %seed)
  %entry.new = call ptr @torchcc.dict_append(ptr %dict, i64 %hash)
  %failed = icmp eq ptr %entry.new, null
  br i1 %failed, label %none, label %fill

fill:
  %key.at = getelementptr i64, ptr %entry.new, i64 1
  store ptr %own, ptr %key.at
  ret ptr %entry.new

none:
  ret ptr null
}

; The first position of an entry from `position` on; there is one.
define i64 @torchcc.dict_next(ptr %dict, i64 %position) nounwind {
entry:
  %width.at = getelementptr %Dict, ptr %dict, i64 0, i32 11
  %width = load i64, ptr %width.at
  %first.at = getelementptr %Dict, ptr %dict, i64 0, i32 10
  %first = load i64, ptr %first.at
  %start = call i64 @llvm.umax.i64(i64 %position, i64 %first)
  br label %loop

loop:
  %i = phi i64 [ %start, %entry ], [ %following, %next ]
  %entry.at = call ptr @torchcc.dict_at(ptr %dict, i64 %i, i64 %width)
  %hash = load i64, ptr %entry.at
  %gone = icmp slt i64 %hash, 0
  br i1 %gone, label %next, label %done

next:
  %following = add i64 %i, 1
  br label %loop

done:
  ret i64 %i
}

; Removes an entry. True after setting the error when there is no memory for a smaller table.
define i1 @torchcc.dict_erase(ptr %dict, i64 %position) nounwind {
entry:
  %width.at = getelementptr %Dict, ptr %dict, i64 0, i32 11
  %width = load i64, ptr %width.at
  %entry.at = call ptr @torchcc.dict_at(ptr %dict, i64 %position, i64 %width)
  %hash = load i64, ptr %entry.at
  call void @torchcc.dict_leave(ptr %dict, i64 %hash, i64 %position)
  store i64 -1, ptr %entry.at
  %last.at = getelementptr %Dict, ptr %dict, i64 0, i32 6
  store i64 -1, ptr %last.at
  %length.at = getelementptr %Dict, ptr %dict, i64 0, i32 8
  %before = load i64, ptr %length.at
  %length = sub i64 %before, 1
  store i64 %length, ptr %length.at
  call void @torchcc.dict_release_entry(ptr %dict, ptr %entry.at, ptr null)
  %used.at = getelementptr %Dict, ptr %dict, i64 0, i32 7
  %used = load i64, ptr %used.at
  %first.at = getelementptr %Dict, ptr %dict, i64 0, i32 10
  %none.left = icmp eq i64 %length, 0
  br i1 %none.left, label %reset, label %some

reset:
  store i64 0, ptr %used.at
  store i64 0, ptr %first.at
  ret i1 false

some:
  %first = load i64, ptr %first.at
  %was.first = icmp eq i64 %first, %position
  br i1 %was.first, label %advance, label %sparse

advance:
  %next = add i64 %position, 1
  %first.new = call i64 @torchcc.dict_next(ptr %dict, i64 %next)
  store i64 %first.new, ptr %first.at
  br label %sparse

sparse:
  ; walking over many removed entries again and again would take long
  %eighth = lshr i64 %used, 3
  %few = icmp ult i64 %length, %eighth
  %large = icmp ugt i64 %used, 64
  %shrink = and i1 %few, %large
  br i1 %shrink, label %rebuild, label %done

rebuild:
  %capacity.at = getelementptr %Dict, ptr %dict, i64 0, i32 9
  %capacity = load i64, ptr %capacity.at
  %smaller = lshr i64 %capacity, 2
  %failed = call i1 @torchcc.dict_rebuild(ptr %dict, i64 %smaller)
  ret i1 %failed

done:
  ret i1 false
}

; Takes a position out of the index; what stands behind it moves up.
define internal void @torchcc.dict_leave(ptr %dict, i64 %hash, i64 %position) nounwind {
entry:
  %index.at = getelementptr %Dict, ptr %dict, i64 0, i32 3
  %index = load ptr, ptr %index.at
  %mask.at = getelementptr %Dict, ptr %dict, i64 0, i32 4
  %mask = load i64, ptr %mask.at
  %tag = shl i64 %hash, 32
  %number = add i64 %position, 1
  %wanted = or i64 %tag, %number
  br label %find

find:
  %from = phi i64 [ %hash, %entry ], [ %further, %find.next ]
  %i = and i64 %from, %mask
  %i.at = getelementptr i64, ptr %index, i64 %i
  %i.slot = load i64, ptr %i.at
  %here = icmp eq i64 %i.slot, %wanted
  br i1 %here, label %close, label %find.next

find.next:
  %further = add i64 %i, 1
  br label %find

close:
  %hole = phi i64 [ %i, %find ], [ %hole, %stay ], [ %j, %shift ]
  %behind = phi i64 [ %i, %find ], [ %j, %stay ], [ %j, %shift ]
  %behind.next = add i64 %behind, 1
  %j = and i64 %behind.next, %mask
  %j.at = getelementptr i64, ptr %index, i64 %j
  %j.slot = load i64, ptr %j.at
  %end = icmp eq i64 %j.slot, 0
  br i1 %end, label %done, label %look

look:
  ; it may go to the hole unless its search starts behind that
  %home = lshr i64 %j.slot, 32
  %way.raw = sub i64 %j, %home
  %way = and i64 %way.raw, %mask
  %gap.raw = sub i64 %j, %hole
  %gap = and i64 %gap.raw, %mask
  %may = icmp uge i64 %way, %gap
  br i1 %may, label %shift, label %stay

stay:
  br label %close

shift:
  %hole.at = getelementptr i64, ptr %index, i64 %hole
  store i64 %j.slot, ptr %hole.at
  br label %close

done:
  %last.hole = getelementptr i64, ptr %index, i64 %hole
  store i64 0, ptr %last.hole
  ret void
}

; Gives back what an entry holds. Objects that only it refers to are dropped, or put among those that wait for that.
define internal void @torchcc.dict_release_entry(ptr %dict, ptr %entry.at, ptr %waiting) nounwind {
entry:
  %references.at = getelementptr %Dict, ptr %dict, i64 0, i32 12
  %references = load i64, ptr %references.at
  br label %loop

loop:
  %left = phi i64 [ %references, %entry ], [ %others, %next ]
  %done.all = icmp eq i64 %left, 0
  br i1 %done.all, label %done, label %give

give:
  %word = call i64 @llvm.cttz.i64(i64 %left, i1 true)
  %at = getelementptr i64, ptr %entry.at, i64 %word
  %object = load ptr, ptr %at
  %at.once = icmp eq ptr %waiting, null
  br i1 %at.once, label %now, label %later

now:
  call void @torchcc.release(ptr %object)
  br label %next

later:
  call void @torchcc.give(ptr %object, ptr %waiting)
  br label %next

next:
  %less = sub i64 %left, 1
  %others = and i64 %left, %less
  br label %loop

done:
  ret void
}

declare i64 @llvm.cttz.i64(i64, i1)

; Gives back what all entries hold.
define internal void @torchcc.dict_release_entries(ptr %dict, ptr %waiting) nounwind {
entry:
  %references.at = getelementptr %Dict, ptr %dict, i64 0, i32 12
  %references = load i64, ptr %references.at
  %plain = icmp eq i64 %references, 0
  %used.at = getelementptr %Dict, ptr %dict, i64 0, i32 7
  %used = load i64, ptr %used.at
  %width.at = getelementptr %Dict, ptr %dict, i64 0, i32 11
  %width = load i64, ptr %width.at
  %empty = icmp eq i64 %used, 0
  %nothing = or i1 %plain, %empty
  br i1 %nothing, label %done, label %loop

loop:
  %i = phi i64 [ 0, %entry ], [ %following, %next ]
  %entry.at = call ptr @torchcc.dict_at(ptr %dict, i64 %i, i64 %width)
  %hash = load i64, ptr %entry.at
  %gone = icmp slt i64 %hash, 0
  br i1 %gone, label %next, label %give

give:
  call void @torchcc.dict_release_entry(ptr %dict, ptr %entry.at, ptr %waiting)
  br label %next

next:
  %following = add i64 %i, 1
  %more = icmp ult i64 %following, %used
  br i1 %more, label %loop, label %done

done:
  ret void
}

; Removes all entries. True after setting the error when there is no memory.
define i1 @torchcc.dict_clear(ptr %dict) nounwind {
  call void @torchcc.dict_release_entries(ptr %dict, ptr null)
  %used.at = getelementptr %Dict, ptr %dict, i64 0, i32 7
  store i64 0, ptr %used.at
  %length.at = getelementptr %Dict, ptr %dict, i64 0, i32 8
  store i64 0, ptr %length.at
  %failed = call i1 @torchcc.dict_rebuild(ptr %dict, i64 8)
  ret i1 %failed
}

; Frees a dict that nobody refers to any more; objects that only it refers to wait to be dropped.
define internal void @torchcc.dict_drop(ptr %dict, ptr %waiting) nounwind {
  call void @torchcc.dict_release_entries(ptr %dict, ptr %waiting)
  %index.at = getelementptr %Dict, ptr %dict, i64 0, i32 3
  %index = load ptr, ptr %index.at
  call void @torchcc.object_free(ptr %index)
  call void @torchcc.object_free(ptr %dict)
  ret void
}
