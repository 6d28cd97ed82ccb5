; The generator of random numbers: PyTorch's, one for the process.
;
; mt19937 with PyTorch's seeding; ir/generator.py is the same in Python. Bits are made 624 at a time. Whoever draws holds the
; lock for as long as one operation draws, so that threads get whole runs of numbers. A generator of the program's own takes
; this one's place while it draws: `random_enter` exchanges their states and keeps the lock, until `random_leave`.

; fields: 0 lock: the thread that holds it, 1 whether it has been seeded, 2 seed, 3 numbers used of the 624, 4 whether the next
; normal number is there, 5 the next normal number, 6 the numbers, 7 whether the lock is held until `random_leave`
%Random = type { i64, i32, i64, i64, i64, double, [624 x i32], i32 }

@torchcc.random = internal global %Random zeroinitializer, align 64

declare i32 @getentropy(ptr, i64)
declare i64 @pthread_self()

define internal void @torchcc.random_lock() nounwind {
start:
  %me = call i64 @pthread_self()
  %holder = load atomic i64, ptr @torchcc.random monotonic, align 8
  %mine = icmp eq i64 %holder, %me
  br i1 %mine, label %done, label %try

try:
  %exchange = cmpxchg ptr @torchcc.random, i64 0, i64 %me acquire monotonic
  %got = extractvalue { i64, i1 } %exchange, 1
  br i1 %got, label %check, label %wait

wait:
  %yielded = call i32 @sched_yield()
  br label %try

check:
  %seeded = load i32, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 1)
  %known = icmp ne i32 %seeded, 0
  br i1 %known, label %done, label %first

first:
  %ignored = call i64 @torchcc.random_reseed()
  br label %done

done:
  ret void
}

define internal void @torchcc.random_unlock() nounwind {
start:
  %held = load i32, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 7)
  %stays = icmp ne i32 %held, 0
  br i1 %stays, label %done, label %release

release:
  store atomic i64 0, ptr @torchcc.random release, align 8
  br label %done

done:
  ret void
}

; Exchanges fields 2 to 6 with the caller's memory. The lock is held.
define internal void @torchcc.random_exchange(ptr %with) nounwind {
start:
  %own = getelementptr %Random, ptr @torchcc.random, i64 0, i32 2
  br label %next

next:
  %i = phi i64 [ 0, %start ], [ %following, %next ]
  %here = getelementptr i64, ptr %own, i64 %i
  %there = getelementptr i64, ptr %with, i64 %i
  %a = load i64, ptr %here
  %b = load i64, ptr %there
  store i64 %b, ptr %here
  store i64 %a, ptr %there
  %following = add i64 %i, 1
  %more = icmp ult i64 %following, 316
  br i1 %more, label %next, label %done

done:
  ret void
}

; From here to `random_leave` this thread draws from the generator whose state this is; the memory keeps the other one's.
; A state that no generator has (arguments of a library may be anything) draws from its start.
define void @torchcc.random_enter(ptr %state) nounwind {
start:
  call void @torchcc.random_lock()
  store i32 1, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 7)
  call void @torchcc.random_exchange(ptr %state)
  %used = load i64, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 3)
  %fits = icmp ule i64 %used, 624
  %checked = select i1 %fits, i64 %used, i64 624
  store i64 %checked, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 3)
  ret void
}

define void @torchcc.random_leave(ptr %state) nounwind {
  call void @torchcc.random_exchange(ptr %state)
  store i32 0, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 7)
  call void @torchcc.random_unlock()
  ret void
}

; Starts anew from a seed. The lock is held.
define internal void @torchcc.random_start(i64 %seed) nounwind {
start:
  store i32 1, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 1)
  store i64 %seed, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 2)
  store i64 624, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 3)
  store i64 0, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 4)
  %low = trunc i64 %seed to i32
  store i32 %low, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 6, i64 0)
  br label %next

next:
  %i = phi i64 [ 1, %start ], [ %following, %next ]
  %value = phi i32 [ %low, %start ], [ %new, %next ]
  %high = lshr i32 %value, 30
  %mixed = xor i32 %value, %high
  %product = mul i32 %mixed, 1812433253
  %number = trunc i64 %i to i32
  %new = add i32 %product, %number
  %at = getelementptr %Random, ptr @torchcc.random, i64 0, i32 6, i64 %i
  store i32 %new, ptr %at
  %following = add i64 %i, 1
  %more = icmp ult i64 %following, 624
  br i1 %more, label %next, label %done

done:
  ret void
}

; Starts anew from a seed that nobody knows, and gives it. The lock is held.
define internal i64 @torchcc.random_reseed() nounwind {
  %slot = alloca i64
  store i64 0, ptr %slot
  %status = call i32 @getentropy(ptr %slot, i64 8)
  %bits = load i64, ptr %slot
  %seed = and i64 %bits, 9007199254740991 ; 53 bits, as PyTorch takes
  call void @torchcc.random_start(i64 %seed)
  ret i64 %seed
}

define void @torchcc_manual_seed(i64 %seed) nounwind {
  call void @torchcc.manual_seed(i64 %seed)
  ret void
}

define i64 @torchcc_initial_seed() nounwind {
  %seed = call i64 @torchcc.initial_seed()
  ret i64 %seed
}

; What programs call: the public names may be another library's.
define void @torchcc.manual_seed(i64 %seed) nounwind {
  call void @torchcc.random_lock()
  call void @torchcc.random_start(i64 %seed)
  call void @torchcc.random_unlock()
  ret void
}

define i64 @torchcc.initial_seed() nounwind {
  call void @torchcc.random_lock()
  %seed = load i64, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 2)
  call void @torchcc.random_unlock()
  ret i64 %seed
}

define i64 @torchcc.random_seed() nounwind {
  call void @torchcc.random_lock()
  %seed = call i64 @torchcc.random_reseed()
  call void @torchcc.random_unlock()
  ret i64 %seed
}

; All that decides what comes next, from and to the caller's memory: fields 2 to 6, 2528 bytes.
define void @torchcc.random_state(ptr %to) nounwind {
  call void @torchcc.random_lock()
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 2), i64 2528, i1 false)
  call void @torchcc.random_unlock()
  ret void
}

define void @torchcc.set_random_state(ptr %from) nounwind {
  call void @torchcc.random_lock()
  call void @llvm.memcpy.p0.p0.i64(ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 2), ptr %from, i64 2528, i1 false)
  call void @torchcc.random_unlock()
  ret void
}

; The normal number that was kept, and whether there is one; it is kept no longer.
define { i1, double } @torchcc.random_take_normal() nounwind {
  call void @torchcc.random_lock()
  %there = load i64, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 4)
  %value = load double, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 5)
  store i64 0, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 4)
  call void @torchcc.random_unlock()
  %found = icmp ne i64 %there, 0
  %first = insertvalue { i1, double } poison, i1 %found, 0
  %both = insertvalue { i1, double } %first, double %value, 1
  ret { i1, double } %both
}

define void @torchcc.random_keep_normal(double %value) nounwind {
  call void @torchcc.random_lock()
  store i64 1, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 4)
  store double %value, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 5)
  call void @torchcc.random_unlock()
  ret void
}

; Makes the numbers from `from` up to `to` anew out of themselves, their right neighbours and those `apart` further on. What a
; step writes is read by later steps only 227 numbers on, so eight can be made at once.
define internal void @torchcc.random_twist(i64 %from, i64 %to, i64 %apart) nounwind {
start:
  br label %wide.check

wide.check:
  %i = phi i64 [ %from, %start ], [ %end, %wide ]
  %end = add i64 %i, 8
  %fits = icmp ule i64 %end, %to
  br i1 %fits, label %wide, label %check

wide:
  %at = getelementptr %Random, ptr @torchcc.random, i64 0, i32 6, i64 %i
  %right.at = getelementptr i32, ptr %at, i64 1
  %other.at = getelementptr i32, ptr %at, i64 %apart
  %own = load <8 x i32>, ptr %at, align 4
  %right = load <8 x i32>, ptr %right.at, align 4
  %other = load <8 x i32>, ptr %other.at, align 4
  %upper = and <8 x i32> %own, splat (i32 -2147483648)
  %lower = and <8 x i32> %right, splat (i32 2147483647)
  %both = or <8 x i32> %upper, %lower
  %half = lshr <8 x i32> %both, splat (i32 1)
  %odd = and <8 x i32> %right, splat (i32 1)
  %mask = sub <8 x i32> zeroinitializer, %odd
  %matrix = and <8 x i32> %mask, splat (i32 -1727483681)
  %mixed = xor <8 x i32> %other, %half
  %new = xor <8 x i32> %mixed, %matrix
  store <8 x i32> %new, ptr %at, align 4
  br label %wide.check

check:
  %k = phi i64 [ %i, %wide.check ], [ %k.next, %one ]
  %more = icmp ult i64 %k, %to
  br i1 %more, label %one, label %done

one:
  %k.at = getelementptr %Random, ptr @torchcc.random, i64 0, i32 6, i64 %k
  %k.next = add i64 %k, 1
  %last = icmp eq i64 %k.next, 624
  %neighbour = select i1 %last, i64 0, i64 %k.next
  %neighbour.at = getelementptr %Random, ptr @torchcc.random, i64 0, i32 6, i64 %neighbour
  %k.other.at = getelementptr i32, ptr %k.at, i64 %apart
  %k.own = load i32, ptr %k.at
  %k.right = load i32, ptr %neighbour.at
  %k.other = load i32, ptr %k.other.at
  %k.upper = and i32 %k.own, -2147483648
  %k.lower = and i32 %k.right, 2147483647
  %k.both = or i32 %k.upper, %k.lower
  %k.half = lshr i32 %k.both, 1
  %k.odd = and i32 %k.right, 1
  %k.mask = sub i32 0, %k.odd
  %k.matrix = and i32 %k.mask, -1727483681
  %k.mixed = xor i32 %k.other, %k.half
  %k.new = xor i32 %k.mixed, %k.matrix
  store i32 %k.new, ptr %k.at
  br label %check

done:
  ret void
}

; `count` numbers from `from` on, tempered. The lock is held.
define internal void @torchcc.random_temper(ptr %from, ptr %to, i64 %count) nounwind {
start:
  br label %wide.check

wide.check:
  %i = phi i64 [ 0, %start ], [ %end, %wide ]
  %end = add i64 %i, 8
  %fits = icmp ule i64 %end, %count
  br i1 %fits, label %wide, label %check

wide:
  %at = getelementptr i32, ptr %from, i64 %i
  %to.at = getelementptr i32, ptr %to, i64 %i
  %x = load <8 x i32>, ptr %at, align 4
  %x11 = lshr <8 x i32> %x, splat (i32 11)
  %y = xor <8 x i32> %x, %x11
  %y7 = shl <8 x i32> %y, splat (i32 7)
  %y7.part = and <8 x i32> %y7, splat (i32 -1658038656)
  %z = xor <8 x i32> %y, %y7.part
  %z15 = shl <8 x i32> %z, splat (i32 15)
  %z15.part = and <8 x i32> %z15, splat (i32 -272236544)
  %w = xor <8 x i32> %z, %z15.part
  %w18 = lshr <8 x i32> %w, splat (i32 18)
  %tempered = xor <8 x i32> %w, %w18
  store <8 x i32> %tempered, ptr %to.at, align 4
  br label %wide.check

check:
  %k = phi i64 [ %i, %wide.check ], [ %k.next, %one ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %one, label %done

one:
  %k.at = getelementptr i32, ptr %from, i64 %k
  %k.to = getelementptr i32, ptr %to, i64 %k
  %a = load i32, ptr %k.at
  %a11 = lshr i32 %a, 11
  %b = xor i32 %a, %a11
  %b7 = shl i32 %b, 7
  %b7.part = and i32 %b7, -1658038656
  %c = xor i32 %b, %b7.part
  %c15 = shl i32 %c, 15
  %c15.part = and i32 %c15, -272236544
  %d = xor i32 %c, %c15.part
  %d18 = lshr i32 %d, 18
  %e = xor i32 %d, %d18
  store i32 %e, ptr %k.to
  %k.next = add i64 %k, 1
  br label %check

done:
  ret void
}

define internal void @torchcc.random_draw(ptr %to, i64 %count) nounwind {
start:
  br label %check

check:
  %done.so.far = phi i64 [ 0, %start ], [ %sum, %take ]
  %missing = sub i64 %count, %done.so.far
  %more = icmp sgt i64 %missing, 0
  br i1 %more, label %look, label %done

look:
  %position = load i64, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 3)
  %used = icmp uge i64 %position, 624
  br i1 %used, label %fill, label %take

fill:
  call void @torchcc.random_twist(i64 0, i64 227, i64 397)
  call void @torchcc.random_twist(i64 227, i64 623, i64 -227)
  call void @torchcc.random_twist(i64 623, i64 624, i64 -227)
  br label %take

take:
  %at = phi i64 [ %position, %look ], [ 0, %fill ]
  %left = sub i64 624, %at
  %now = call i64 @llvm.umin.i64(i64 %left, i64 %missing)
  %from = getelementptr %Random, ptr @torchcc.random, i64 0, i32 6, i64 %at
  %target = getelementptr i32, ptr %to, i64 %done.so.far
  call void @torchcc.random_temper(ptr %from, ptr %target, i64 %now)
  %position.next = add i64 %at, %now
  store i64 %position.next, ptr getelementptr (%Random, ptr @torchcc.random, i64 0, i32 3)
  %sum = add i64 %done.so.far, %now
  br label %check

done:
  ret void
}

; `count` numbers of 32 bits.
define void @torchcc.random_bits32(ptr %to, i64 %count) nounwind {
  call void @torchcc.random_lock()
  call void @torchcc.random_draw(ptr %to, i64 %count)
  call void @torchcc.random_unlock()
  ret void
}

; `count` numbers of 64 bits, of which the upper half is drawn first.
define void @torchcc.random_bits64(ptr %to, i64 %count) nounwind {
start:
  %halves = mul i64 %count, 2
  call void @torchcc.random_bits32(ptr %to, i64 %halves)
  br label %check

check:
  %i = phi i64 [ 0, %start ], [ %next, %turn ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %turn, label %done

turn:
  %at = getelementptr i64, ptr %to, i64 %i
  %value = load i64, ptr %at
  %turned = call i64 @llvm.fshl.i64(i64 %value, i64 %value, i64 32)
  store i64 %turned, ptr %at
  %next = add i64 %i, 1
  br label %check

done:
  ret void
}

declare i64 @llvm.fshl.i64(i64, i64, i64)
