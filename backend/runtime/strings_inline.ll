; Comparing and hashing bytes of strings: this text stands in the run time, and in every program with strings, where LLVM
; may inline it. `strings.ll` says how a string lies in memory: there are always 8 bytes of the object in front of its
; bytes, so that the last up to 8 bytes are one load and a shift.

declare i32 @memcmp(ptr, ptr, i64)

; The last `count` bytes, at most 8, as a number.
define LINKAGE i64 @torchcc.few_bytes(ptr %bytes, i64 %count) INLINED {
  %from = sub i64 %count, 8
  %at = getelementptr i8, ptr %bytes, i64 %from
  %word = load i64, ptr %at, align 1
  %absent = sub i64 8, %count
  %bits = shl i64 %absent, 3
  %none = icmp eq i64 %count, 0
  %shift = select i1 %none, i64 0, i64 %bits
  %shifted = lshr i64 %word, %shift
  %value = select i1 %none, i64 0, i64 %shifted
  ret i64 %value
}

; Whether `count` bytes of two strings are the same.
define LINKAGE i1 @torchcc.bytes_equal(ptr %a, ptr %b, i64 %count) INLINED_HERE {
  %few = icmp ult i64 %count, 9
  br i1 %few, label %word, label %some

word:
  %a.word = call i64 @torchcc.few_bytes(ptr %a, i64 %count)
  %b.word = call i64 @torchcc.few_bytes(ptr %b, i64 %count)
  %word.same = icmp eq i64 %a.word, %b.word
  ret i1 %word.same

some:
  %short = icmp ult i64 %count, 17
  br i1 %short, label %words, label %many

words:
  %a.low = load i64, ptr %a, align 1
  %b.low = load i64, ptr %b, align 1
  %low = xor i64 %a.low, %b.low
  %last = sub i64 %count, 8
  %a.last = getelementptr i8, ptr %a, i64 %last
  %b.last = getelementptr i8, ptr %b, i64 %last
  %a.high = load i64, ptr %a.last, align 1
  %b.high = load i64, ptr %b.last, align 1
  %high = xor i64 %a.high, %b.high
  %either = or i64 %low, %high
  %words.same = icmp eq i64 %either, 0
  ret i1 %words.same

many:
  %order = call i32 @memcmp(ptr %a, ptr %b, i64 %count)
  %many.same = icmp eq i32 %order, 0
  ret i1 %many.same
}

; Whether two strings, given by where their bytes are and how many, are equal.
define LINKAGE i1 @torchcc.str_equal(ptr %a, i64 %n, ptr %b, i64 %m) INLINED {
  %as.long = icmp eq i64 %n, %m
  br i1 %as.long, label %contents, label %no

contents:
  %same = call i1 @torchcc.bytes_equal(ptr %a, ptr %b, i64 %n)
  ret i1 %same

no:
  ret i1 false
}

; One multiplication to 128 bits; nobody outside knows the seed.
define LINKAGE i64 @torchcc.dict_hash(i64 %key, i64 %seed) INLINED {
  %mixed = xor i64 %key, %seed
  %wide = zext i64 %mixed to i128
  %product = mul i128 %wide, 11400714819323198485
  %low = trunc i128 %product to i64
  %shifted = lshr i128 %product, 64
  %high = trunc i128 %shifted to i64
  %hash = xor i64 %low, %high
  ret i64 %hash
}

; The hash of `count` bytes of a string, eight at a time; its high half is kept.
define LINKAGE i64 @torchcc.str_hash(ptr %bytes, i64 %count, i64 %seed) INLINED_HERE {
entry:
  %spread = mul i64 %count, -7046029254386353131
  %start = xor i64 %seed, %spread
  %long = icmp ugt i64 %count, 8
  br i1 %long, label %loop, label %few

loop:
  %hash = phi i64 [ %start, %entry ], [ %hash.next, %loop ]
  %at = phi i64 [ 0, %entry ], [ %at.next, %loop ]
  %from = getelementptr i8, ptr %bytes, i64 %at
  %word = load i64, ptr %from, align 1
  %hash.next = call i64 @torchcc.dict_hash(i64 %word, i64 %hash)
  %at.next = add i64 %at, 8
  %left = sub i64 %count, %at.next
  %more = icmp ugt i64 %left, 8
  br i1 %more, label %loop, label %rest

rest:
  ; at most eight bytes are left: those and some that were read already
  %last = sub i64 %count, 8
  %last.at = getelementptr i8, ptr %bytes, i64 %last
  %last.word = load i64, ptr %last.at, align 1
  br label %finish

few:
  %few.word = call i64 @torchcc.few_bytes(ptr %bytes, i64 %count)
  br label %finish

finish:
  %final = phi i64 [ %last.word, %rest ], [ %few.word, %few ]
  %so.far = phi i64 [ %hash.next, %rest ], [ %start, %few ]
  %result = call i64 @torchcc.dict_hash(i64 %final, i64 %so.far)
  ret i64 %result
}
