; Finding a key in a dict: this text stands in the run time, and in every program with dicts, where LLVM may inline it.
; `dicts.ll` says how a dict lies in memory. `width`: words of an entry, which the program knows.

; count, kind, entries, index, slots of the index - 1, seed, last found, used, length, capacity, first, width,
; which words hold references, kind of key
%Dict = type { i64, i64, ptr, ptr, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64 }

; Bits of a float as a key: 0.0 and -0.0 are one key.
define LINKAGE i64 @torchcc.dict_float_bits(double %key) INLINED {
  %zero = fcmp oeq double %key, 0.0
  %bits = bitcast double %key to i64
  %either = select i1 %zero, i64 0, i64 %bits
  ret i64 %either
}

define LINKAGE ptr @torchcc.dict_at(ptr %dict, i64 %position, i64 %width) INLINED {
  %entries.at = getelementptr %Dict, ptr %dict, i64 0, i32 2
  %entries = load ptr, ptr %entries.at
  %word = mul i64 %position, %width
  %entry = getelementptr i64, ptr %entries, i64 %word
  ret ptr %entry
}

define LINKAGE i64 @torchcc.dict_search_i64(ptr %dict, i64 %key, i64 %width) INLINABLE {
entry:
  %seed.at = getelementptr %Dict, ptr %dict, i64 0, i32 5
  %seed = load i64, ptr %seed.at
  %hash = call i64 @torchcc.dict_hash(i64 %key, i64 %seed)
  %hash.high = lshr i64 %hash, 32
  %tag = shl i64 %hash.high, 32
  %mask.at = getelementptr %Dict, ptr %dict, i64 0, i32 4
  %mask = load i64, ptr %mask.at
  %index.at = getelementptr %Dict, ptr %dict, i64 0, i32 3
  %index = load ptr, ptr %index.at
  br label %loop

loop:
  %from = phi i64 [ %hash.high, %entry ], [ %following, %next ]
  %i = and i64 %from, %mask
  %slot.at = getelementptr i64, ptr %index, i64 %i
  %slot = load i64, ptr %slot.at
  %difference = xor i64 %slot, %tag
  %alike = icmp ult i64 %difference, 4294967296
  br i1 %alike, label %look, label %other

other:
  %empty = icmp eq i64 %slot, 0
  br i1 %empty, label %none, label %next

look:
  ; an empty slot looks like the tag 0
  %absent = icmp eq i64 %slot, 0
  br i1 %absent, label %none, label %compare

compare:
  %number = and i64 %slot, 4294967295
  %position = sub i64 %number, 1
  %entry.here = call ptr @torchcc.dict_at(ptr %dict, i64 %position, i64 %width)
  %key.at = getelementptr i64, ptr %entry.here, i64 1
  %key.here = load i64, ptr %key.at
  %same = icmp eq i64 %key.here, %key
  br i1 %same, label %found, label %next

found:
  %last.at = getelementptr %Dict, ptr %dict, i64 0, i32 6
  store i64 %position, ptr %last.at
  ret i64 %position

next:
  %following = add i64 %i, 1
  br label %loop

none:
  ret i64 -1
}

; Position of the entry of a key, -1 where there is none. What was found last is tried first: `d[k] = d.get(k, 0) + 1`.
define LINKAGE i64 @torchcc.dict_find_i64(ptr %dict, i64 %key, i64 %width) INLINED {
entry:
  %last.at = getelementptr %Dict, ptr %dict, i64 0, i32 6
  %last = load i64, ptr %last.at
  %hinted = icmp sge i64 %last, 0
  br i1 %hinted, label %try, label %search

try:
  %entry.last = call ptr @torchcc.dict_at(ptr %dict, i64 %last, i64 %width)
  %key.at = getelementptr i64, ptr %entry.last, i64 1
  %key.last = load i64, ptr %key.at
  %same = icmp eq i64 %key.last, %key
  br i1 %same, label %done, label %search

search:
  %found = call i64 @torchcc.dict_search_i64(ptr %dict, i64 %key, i64 %width)
  br label %done

done:
  %position = phi i64 [ %last, %try ], [ %found, %search ]
  ret i64 %position
}

; The entry of a key at `position`, which `dict_find` gave for it; made where there is none, its values zero then; null
; where memory is out.
define LINKAGE ptr @torchcc.dict_place_i64(ptr %dict, i64 %position, i64 %key, i64 %width) INLINED {
  %there = icmp sge i64 %position, 0
  br i1 %there, label %old, label %new

old:
  %entry.old = call ptr @torchcc.dict_at(ptr %dict, i64 %position, i64 %width)
  br label %done

new:
  %entry.new = call ptr @torchcc.dict_insert_i64(ptr %dict, i64 %key)
  br label %done

done:
  %result = phi ptr [ %entry.old, %old ], [ %entry.new, %new ]
  ret ptr %result
}

define LINKAGE i64 @torchcc.dict_search_f64(ptr %dict, double %key, i64 %width) INLINABLE {
entry:
  %seed.at = getelementptr %Dict, ptr %dict, i64 0, i32 5
  %seed = load i64, ptr %seed.at
  %bits = call i64 @torchcc.dict_float_bits(double %key)
  %hash = call i64 @torchcc.dict_hash(i64 %bits, i64 %seed)
  %hash.high = lshr i64 %hash, 32
  %tag = shl i64 %hash.high, 32
  %mask.at = getelementptr %Dict, ptr %dict, i64 0, i32 4
  %mask = load i64, ptr %mask.at
  %index.at = getelementptr %Dict, ptr %dict, i64 0, i32 3
  %index = load ptr, ptr %index.at
  br label %loop

loop:
  %from = phi i64 [ %hash.high, %entry ], [ %following, %next ]
  %i = and i64 %from, %mask
  %slot.at = getelementptr i64, ptr %index, i64 %i
  %slot = load i64, ptr %slot.at
  %difference = xor i64 %slot, %tag
  %alike = icmp ult i64 %difference, 4294967296
  br i1 %alike, label %look, label %other

other:
  %empty = icmp eq i64 %slot, 0
  br i1 %empty, label %none, label %next

look:
  ; an empty slot looks like the tag 0
  %absent = icmp eq i64 %slot, 0
  br i1 %absent, label %none, label %compare

compare:
  %number = and i64 %slot, 4294967295
  %position = sub i64 %number, 1
  %entry.here = call ptr @torchcc.dict_at(ptr %dict, i64 %position, i64 %width)
  %key.at = getelementptr i64, ptr %entry.here, i64 1
  %key.here = load double, ptr %key.at
  %same = fcmp oeq double %key.here, %key
  br i1 %same, label %found, label %next

found:
  %last.at = getelementptr %Dict, ptr %dict, i64 0, i32 6
  store i64 %position, ptr %last.at
  ret i64 %position

next:
  %following = add i64 %i, 1
  br label %loop

none:
  ret i64 -1
}

; Position of the entry of a key, -1 where there is none. What was found last is tried first: `d[k] = d.get(k, 0) + 1`.
define LINKAGE i64 @torchcc.dict_find_f64(ptr %dict, double %key, i64 %width) INLINED {
entry:
  %last.at = getelementptr %Dict, ptr %dict, i64 0, i32 6
  %last = load i64, ptr %last.at
  %hinted = icmp sge i64 %last, 0
  br i1 %hinted, label %try, label %search

try:
  %entry.last = call ptr @torchcc.dict_at(ptr %dict, i64 %last, i64 %width)
  %key.at = getelementptr i64, ptr %entry.last, i64 1
  %key.last = load double, ptr %key.at
  %same = fcmp oeq double %key.last, %key
  br i1 %same, label %done, label %search

search:
  %found = call i64 @torchcc.dict_search_f64(ptr %dict, double %key, i64 %width)
  br label %done

done:
  %position = phi i64 [ %last, %try ], [ %found, %search ]
  ret i64 %position
}

; The same for floats.
define LINKAGE ptr @torchcc.dict_place_f64(ptr %dict, i64 %position, double %key, i64 %width) INLINED {
  %there = icmp sge i64 %position, 0
  br i1 %there, label %old, label %new

old:
  %entry.old = call ptr @torchcc.dict_at(ptr %dict, i64 %position, i64 %width)
  br label %done

new:
  %entry.new = call ptr @torchcc.dict_insert_f64(ptr %dict, double %key)
  br label %done

done:
  %result = phi ptr [ %entry.old, %old ], [ %entry.new, %new ]
  ret ptr %result
}

; A complex number as a key: two words, in each of which 0.0 and -0.0 are one.
define LINKAGE i64 @torchcc.dict_hash_c128(double %re, double %im, i64 %seed) INLINED {
  %re.bits = call i64 @torchcc.dict_float_bits(double %re)
  %im.bits = call i64 @torchcc.dict_float_bits(double %im)
  %of.re = call i64 @torchcc.dict_hash(i64 %re.bits, i64 %seed)
  %both = xor i64 %of.re, %im.bits
  %hash = call i64 @torchcc.dict_hash(i64 %both, i64 %seed)
  ret i64 %hash
}

define LINKAGE i1 @torchcc.dict_is_c128(ptr %key.at, double %re, double %im) INLINED {
  %im.at = getelementptr i64, ptr %key.at, i64 1
  %re.here = load double, ptr %key.at
  %im.here = load double, ptr %im.at
  %re.same = fcmp oeq double %re.here, %re
  %im.same = fcmp oeq double %im.here, %im
  %same = and i1 %re.same, %im.same
  ret i1 %same
}

define LINKAGE i64 @torchcc.dict_search_c128(ptr %dict, double %re, double %im, i64 %width) INLINABLE {
entry:
  %seed.at = getelementptr %Dict, ptr %dict, i64 0, i32 5
  %seed = load i64, ptr %seed.at
  %hash = call i64 @torchcc.dict_hash_c128(double %re, double %im, i64 %seed)
  %hash.high = lshr i64 %hash, 32
  %tag = shl i64 %hash.high, 32
  %mask.at = getelementptr %Dict, ptr %dict, i64 0, i32 4
  %mask = load i64, ptr %mask.at
  %index.at = getelementptr %Dict, ptr %dict, i64 0, i32 3
  %index = load ptr, ptr %index.at
  br label %loop

loop:
  %from = phi i64 [ %hash.high, %entry ], [ %following, %next ]
  %i = and i64 %from, %mask
  %slot.at = getelementptr i64, ptr %index, i64 %i
  %slot = load i64, ptr %slot.at
  %difference = xor i64 %slot, %tag
  %alike = icmp ult i64 %difference, 4294967296
  br i1 %alike, label %look, label %other

other:
  %empty = icmp eq i64 %slot, 0
  br i1 %empty, label %none, label %next

look:
  ; an empty slot looks like the tag 0
  %absent = icmp eq i64 %slot, 0
  br i1 %absent, label %none, label %compare

compare:
  %number = and i64 %slot, 4294967295
  %position = sub i64 %number, 1
  %entry.here = call ptr @torchcc.dict_at(ptr %dict, i64 %position, i64 %width)
  %key.at = getelementptr i64, ptr %entry.here, i64 1
  %same = call i1 @torchcc.dict_is_c128(ptr %key.at, double %re, double %im)
  br i1 %same, label %found, label %next

found:
  %last.at = getelementptr %Dict, ptr %dict, i64 0, i32 6
  store i64 %position, ptr %last.at
  ret i64 %position

next:
  %following = add i64 %i, 1
  br label %loop

none:
  ret i64 -1
}

; Position of the entry of a key, -1 where there is none. What was found last is tried first: `d[k] = d.get(k, 0) + 1`.
define LINKAGE i64 @torchcc.dict_find_c128(ptr %dict, double %re, double %im, i64 %width) INLINED {
entry:
  %last.at = getelementptr %Dict, ptr %dict, i64 0, i32 6
  %last = load i64, ptr %last.at
  %hinted = icmp sge i64 %last, 0
  br i1 %hinted, label %try, label %search

try:
  %entry.last = call ptr @torchcc.dict_at(ptr %dict, i64 %last, i64 %width)
  %key.at = getelementptr i64, ptr %entry.last, i64 1
  %same = call i1 @torchcc.dict_is_c128(ptr %key.at, double %re, double %im)
  br i1 %same, label %done, label %search

search:
  %found = call i64 @torchcc.dict_search_c128(ptr %dict, double %re, double %im, i64 %width)
  br label %done

done:
  %position = phi i64 [ %last, %try ], [ %found, %search ]
  ret i64 %position
}

; The same for complex numbers.
define LINKAGE ptr @torchcc.dict_place_c128(ptr %dict, i64 %position, double %re, double %im, i64 %width) INLINED {
  %there = icmp sge i64 %position, 0
  br i1 %there, label %old, label %new

old:
  %entry.old = call ptr @torchcc.dict_at(ptr %dict, i64 %position, i64 %width)
  br label %done

new:
  %entry.new = call ptr @torchcc.dict_insert_c128(ptr %dict, double %re, double %im)
  br label %done

done:
  %result = phi ptr [ %entry.old, %old ], [ %entry.new, %new ]
  ret ptr %result
}

; Position of the entry of a key, a string given by where its bytes are and how many; -1 where there is none.
define LINKAGE i64 @torchcc.dict_find_str(ptr %dict, ptr %bytes, i64 %count, i64 %width) INLINED {
entry:
  %seed.at = getelementptr %Dict, ptr %dict, i64 0, i32 5
  %seed = load i64, ptr %seed.at
  %hash = call i64 @torchcc.str_hash(ptr %bytes, i64 %count, i64 %seed)
  %hash.high = lshr i64 %hash, 32
  %tag = shl i64 %hash.high, 32
  %mask.at = getelementptr %Dict, ptr %dict, i64 0, i32 4
  %mask = load i64, ptr %mask.at
  %index.at = getelementptr %Dict, ptr %dict, i64 0, i32 3
  %index = load ptr, ptr %index.at
  br label %loop

loop:
  %from = phi i64 [ %hash.high, %entry ], [ %following, %next ]
  %i = and i64 %from, %mask
  %slot.at = getelementptr i64, ptr %index, i64 %i
  %slot = load i64, ptr %slot.at
  %difference = xor i64 %slot, %tag
  %alike = icmp ult i64 %difference, 4294967296
  br i1 %alike, label %look, label %other

other:
  %empty = icmp eq i64 %slot, 0
  br i1 %empty, label %none, label %next

look:
  ; an empty slot looks like the tag 0
  %absent = icmp eq i64 %slot, 0
  br i1 %absent, label %none, label %compare

compare:
  %number = and i64 %slot, 4294967295
  %position = sub i64 %number, 1
  %entry.here = call ptr @torchcc.dict_at(ptr %dict, i64 %position, i64 %width)
  %key.at = getelementptr i64, ptr %entry.here, i64 1
  %key.here = load ptr, ptr %key.at
  %count.at = getelementptr i64, ptr %key.here, i64 2
  %count.here = load i64, ptr %count.at
  %bytes.here = getelementptr i8, ptr %key.here, i64 32
  %same = call i1 @torchcc.str_equal(ptr %bytes.here, i64 %count.here, ptr %bytes, i64 %count)
  br i1 %same, label %found, label %next

found:
  ret i64 %position

next:
  %following = add i64 %i, 1
  br label %loop

none:
  ret i64 -1
}

; The same for strings; `key`: the string, or null where there are only its bytes.
define LINKAGE ptr @torchcc.dict_place_str(ptr %dict, i64 %position, ptr %key, ptr %bytes, i64 %count, i64 %width) INLINED {
  %there = icmp sge i64 %position, 0
  br i1 %there, label %old, label %new

old:
  %entry.old = call ptr @torchcc.dict_at(ptr %dict, i64 %position, i64 %width)
  br label %done

new:
  %entry.new = call ptr @torchcc.dict_insert_str(ptr %dict, ptr %key, ptr %bytes, i64 %count)
  br label %done

done:
  %result = phi ptr [ %entry.old, %old ], [ %entry.new, %new ]
  ret ptr %result
}
