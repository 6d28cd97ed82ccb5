; The thread pool: one per process, of num_threads - 1 workers, the caller being the first thread.
;
; %word tells everything about the current region: bits 0..14 the workers inside it, bit 15 whether it is open, bits
; 16..31 its generation. A worker enters an open region of a new generation by compare-and-swap and leaves by
; subtraction; the caller closes the region when no iterations are left and waits until nobody is inside. So a worker
; that the scheduler wakes late finds the region closed, and nobody waits for it. Workers spin a while, then sleep on
; the word. A second thread that arrives while the pool is busy, and a region inside a region, run serially.
;
; Iterations are cut into pieces of equal length, and each thread has its share of them, neighbours, before it helps the
; others: the same thread then works on the same rows in one region after the other, and finds them in its own cache.
; Lines that another core has written cost several times what they cost from there.

@torchcc.word = global i32 0, align 128
@torchcc.next = global [1024 x [16 x i64]] zeroinitializer, align 128 ; of each thread's pieces the first not yet taken
@torchcc.sleepers = global i32 0, align 128
@torchcc.leaving = global i32 0, align 128    ; counts workers that were the last to leave; the caller sleeps on it
@torchcc.waiting = global i32 0
@torchcc.busy = global i32 0, align 128
@torchcc.started = global i32 0               ; workers that exist
@torchcc.threads = global i32 0               ; 0: not known yet
@torchcc.registered = global i32 0            ; whether the fork handler is
@torchcc.limit = global i32 0                 ; workers that may enter the current region
@torchcc.body = global ptr null
@torchcc.context = global ptr null
@torchcc.total = global i64 0
@torchcc.pieces = global i64 0
@torchcc.shares = global i64 0                ; threads that have pieces of their own: the caller, then the workers
@torchcc.failed = global i32 0
@torchcc.failed_number = global i32 0
@torchcc.failed_text = global [4096 x i8] zeroinitializer
@torchcc.variable = private constant [20 x i8] c"TORCHCC_NUM_THREADS\00"

declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(i64)
declare i32 @pthread_atfork(ptr, ptr, ptr)
declare ptr @getenv(ptr)
declare i64 @strtol(ptr, ptr, i32)

define i32 @torchcc_num_threads() nounwind {
  %known = load atomic i32, ptr @torchcc.threads acquire, align 4
  %is.known = icmp sgt i32 %known, 0
  br i1 %is.known, label %return, label %ask

ask:
  %text = call ptr @getenv(ptr @torchcc.variable)
  %set = icmp ne ptr %text, null
  br i1 %set, label %parse, label %count

parse:
  %number = call i64 @strtol(ptr %text, ptr null, i32 10)
  %small = icmp sgt i64 %number, 0
  %large = icmp slt i64 %number, 1024
  %valid = and i1 %small, %large
  %number.narrow = trunc i64 %number to i32
  br i1 %valid, label %keep, label %count

count:
  %cores = call i32 @torchcc.available_cores()
  br label %keep

keep:
  %found = phi i32 [ %number.narrow, %parse ], [ %cores, %count ]
  %exchange = cmpxchg ptr @torchcc.threads, i32 0, i32 %found acq_rel acquire
  %first = extractvalue { i32, i1 } %exchange, 1
  %other = extractvalue { i32, i1 } %exchange, 0
  %result = select i1 %first, i32 %found, i32 %other
  ret i32 %result

return:
  ret i32 %known
}

define void @torchcc_set_num_threads(i32 %count) nounwind {
  %at.least = call i32 @llvm.smax.i32(i32 %count, i32 1)
  %at.most = call i32 @llvm.smin.i32(i32 %at.least, i32 1024)
  store atomic i32 %at.most, ptr @torchcc.threads release, align 4
  ret void
}

declare i32 @llvm.smax.i32(i32, i32)
declare i32 @llvm.smin.i32(i32, i32)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)

; In the child of a fork only the forking thread lives on.
define internal void @torchcc.after_fork() nounwind {
  store i32 0, ptr @torchcc.word
  store i32 0, ptr @torchcc.sleepers
  store i32 0, ptr @torchcc.waiting
  store i32 0, ptr @torchcc.busy
  store i32 0, ptr @torchcc.started
  ret void
}

; Takes pieces of the current region until none is left, its own ones first (%self: 0 is the caller). The first failure
; stops the region and keeps its text.
define internal void @torchcc.work(i64 %self) nounwind {
entry:
  %body = load ptr, ptr @torchcc.body
  %context = load ptr, ptr @torchcc.context
  %total = load i64, ptr @torchcc.total
  %pieces = load i64, ptr @torchcc.pieces
  %shares = load i64, ptr @torchcc.shares
  %state = call ptr @torchcc.state()
  %inside = getelementptr %State, ptr %state, i64 0, i32 8
  store i32 1, ptr %inside
  br label %share

share:
  %whose = phi i64 [ %self, %entry ], [ %whose.next, %following ]
  %seen = phi i64 [ 1, %entry ], [ %seen.next, %following ]
  %next = getelementptr [16 x i64], ptr @torchcc.next, i64 %whose
  %whose.after = add i64 %whose, 1
  %last.scaled = mul i64 %pieces, %whose.after
  %last = udiv i64 %last.scaled, %shares
  br label %look

look:
  ; looked at before it is taken: those who find nothing left need not write
  %now = load atomic i64, ptr %next monotonic, align 8
  %any = icmp slt i64 %now, %last
  br i1 %any, label %take, label %following

take:
  %piece = atomicrmw add ptr %next, i64 1 monotonic
  %left = icmp slt i64 %piece, %last
  br i1 %left, label %run, label %following

following:
  %wraps = icmp eq i64 %whose.after, %shares
  %whose.next = select i1 %wraps, i64 0, i64 %whose.after
  %seen.next = add i64 %seen, 1
  %more = icmp ule i64 %seen.next, %shares
  br i1 %more, label %share, label %done

run:
  %begin = call i64 @torchcc.piece(i64 %piece, i64 %total, i64 %pieces)
  %piece.after = add i64 %piece, 1
  %end = call i64 @torchcc.piece(i64 %piece.after, i64 %total, i64 %pieces)
  %blocks = call ptr @torchcc.block_mark()
  %arena = call ptr @torchcc.arena_mark()
  %status = call i32 %body(ptr %context, i64 %begin, i64 %end)
  call void @torchcc.free_blocks(ptr %blocks) ; nothing of an iteration outlives it
  call void @torchcc.arena_release(ptr %arena)
  %good = icmp eq i32 %status, 0
  br i1 %good, label %look, label %fail

fail:
  br label %stop

stop:
  %stopped = phi i64 [ 0, %fail ], [ %stopped.next, %stop ]
  %stopped.at = getelementptr [16 x i64], ptr @torchcc.next, i64 %stopped
  store atomic i64 %pieces, ptr %stopped.at monotonic, align 8
  %stopped.next = add i64 %stopped, 1
  %stops = icmp ult i64 %stopped.next, %shares
  br i1 %stops, label %stop, label %failed

failed:
  %exchange = cmpxchg ptr @torchcc.failed, i32 0, i32 1 acq_rel acquire
  %first = extractvalue { i32, i1 } %exchange, 1
  br i1 %first, label %keep, label %done

keep:
  %number = call i32 @torchcc.error_number()
  store i32 %number, ptr @torchcc.failed_number
  %text = call ptr @torchcc_last_error()
  %length = call i64 @strlen(ptr %text)
  %fits = call i64 @llvm.smin.i64(i64 %length, i64 4095)
  call void @llvm.memcpy.p0.p0.i64(ptr @torchcc.failed_text, ptr %text, i64 %fits, i1 false)
  %end.at = getelementptr i8, ptr @torchcc.failed_text, i64 %fits
  store i8 0, ptr %end.at
  br label %done

done:
  store i32 0, ptr %inside
  ret void
}

; The first iteration of a piece. Longer and shorter ones, where the total is no multiple, are spread evenly.
define internal i64 @torchcc.piece(i64 %piece, i64 %total, i64 %pieces) alwaysinline nounwind {
  %length = udiv i64 %total, %pieces
  %longer = urem i64 %total, %pieces
  %start = mul i64 %piece, %length
  %scaled = mul i64 %piece, %longer
  %more = udiv i64 %scaled, %pieces
  %result = add i64 %start, %more
  ret i64 %result
}

; A worker's life. %argument is its number, from 0.
define internal ptr @torchcc.worker(ptr %argument) nounwind {
entry:
  %number.wide = ptrtoint ptr %argument to i64
  %number = trunc i64 %number.wide to i32
  %self = add i64 %number.wide, 1
  br label %watch

watch:
  %seen = phi i32 [ -1, %entry ], [ %seen, %sleep ], [ %generation, %last ], [ %generation, %left ]
  br label %spin

spin:
  %spun = phi i32 [ 0, %watch ], [ %spun.next, %pause ]
  %now = load atomic i32, ptr @torchcc.word acquire, align 4
  %open = and i32 %now, 32768
  %is.open = icmp ne i32 %open, 0
  %generation = lshr i32 %now, 16
  %is.new = icmp ne i32 %generation, %seen
  %may = and i1 %is.open, %is.new
  br i1 %may, label %allowed, label %pause

allowed:
  %limit = load atomic i32, ptr @torchcc.limit monotonic, align 4
  %counts = icmp slt i32 %number, %limit
  br i1 %counts, label %enter, label %pause

enter:
  %joined = add i32 %now, 1
  %exchange = cmpxchg ptr @torchcc.word, i32 %now, i32 %joined acq_rel monotonic
  %entered = extractvalue { i32, i1 } %exchange, 1
  br i1 %entered, label %work, label %pause

pause:
  call void @torchcc.relax()
  %spun.next = add i32 %spun, 1
  %tired = icmp ugt i32 %spun.next, 20000
  br i1 %tired, label %sleep, label %spin

work:
  call void @torchcc.work(i64 %self)
  %before = atomicrmw sub ptr @torchcc.word, i32 1 acq_rel
  %region = and i32 %before, 65535
  %closed.and.last = icmp eq i32 %region, 1
  br i1 %closed.and.last, label %last, label %left

last:
  %counted = atomicrmw add ptr @torchcc.leaving, i32 1 seq_cst
  %waited.for = load atomic i32, ptr @torchcc.waiting seq_cst, align 4
  %wake = icmp ne i32 %waited.for, 0
  call void @torchcc.wake_if(i1 %wake, ptr @torchcc.leaving)
  br label %watch

left:
  br label %watch

sleep:
  %more = atomicrmw add ptr @torchcc.sleepers, i32 1 seq_cst
  %value = load atomic i32, ptr @torchcc.word seq_cst, align 4
  %value.open = and i32 %value, 32768
  %value.generation = lshr i32 %value, 16
  %value.is.open = icmp ne i32 %value.open, 0
  %value.is.new = icmp ne i32 %value.generation, %seen
  %value.limit = load atomic i32, ptr @torchcc.limit monotonic, align 4
  %value.counts = icmp slt i32 %number, %value.limit
  %value.work = and i1 %value.is.open, %value.is.new
  %value.may = and i1 %value.work, %value.counts
  %idle = xor i1 %value.may, true
  call void @torchcc.wait_if(i1 %idle, ptr @torchcc.word, i32 %value)
  %fewer = atomicrmw sub ptr @torchcc.sleepers, i32 1 seq_cst
  br label %watch
}

define internal void @torchcc.wake_if(i1 %condition, ptr %word) nounwind {
  br i1 %condition, label %wake, label %return
wake:
  call void @torchcc.wake_word(ptr %word)
  br label %return
return:
  ret void
}

define internal void @torchcc.wait_if(i1 %condition, ptr %word, i32 %value) nounwind {
  br i1 %condition, label %wait, label %return
wait:
  call void @torchcc.wait_word(ptr %word, i32 %value)
  br label %return
return:
  ret void
}

; Makes sure that %wanted workers exist; returns how many do. Called by the owner of the pool only.
define internal i32 @torchcc.start_workers(i32 %wanted) nounwind {
entry:
  %thread = alloca i64
  %registered = load i32, ptr @torchcc.registered
  %once = icmp eq i32 %registered, 0
  br i1 %once, label %register, label %loop

register:
  %ignored = call i32 @pthread_atfork(ptr null, ptr null, ptr @torchcc.after_fork)
  store i32 1, ptr @torchcc.registered
  br label %loop

loop:
  %started = load i32, ptr @torchcc.started
  %enough = icmp sge i32 %started, %wanted
  br i1 %enough, label %done, label %start

start:
  %number = zext i32 %started to i64
  %argument = inttoptr i64 %number to ptr
  %failed = call i32 @pthread_create(ptr %thread, ptr null, ptr @torchcc.worker, ptr %argument)
  %bad = icmp ne i32 %failed, 0
  br i1 %bad, label %done, label %count

count:
  %handle = load i64, ptr %thread
  %detached = call i32 @pthread_detach(i64 %handle)
  %more = add i32 %started, 1
  store i32 %more, ptr @torchcc.started
  br label %loop

done:
  %result = load i32, ptr @torchcc.started
  %clipped = call i32 @llvm.smin.i32(i32 %result, i32 %wanted)
  ret i32 %clipped
}

; Wakes sleeping workers ahead of the first region of a call, so that they are hot when it comes.
define void @torchcc.wake_pool() nounwind {
  %sleepers = load atomic i32, ptr @torchcc.sleepers monotonic, align 4
  %any = icmp sgt i32 %sleepers, 0
  call void @torchcc.wake_if(i1 %any, ptr @torchcc.word)
  ret void
}

; Runs body(context, begin, end) over pieces of [0, total), each of %grain iterations at least; 0 or the first failure.
define i32 @torchcc.parallel_for(ptr %body, ptr %context, i64 %total, i64 %grain) nounwind {
entry:
  %threads = call i32 @torchcc_num_threads()
  %threads.wide = sext i32 %threads to i64
  %grain.least = call i64 @llvm.smax.i64(i64 %grain, i64 1)
  %several = icmp sgt i32 %threads, 1
  %two.pieces = shl i64 %grain.least, 1
  %enough = icmp sge i64 %total, %two.pieces
  %worth = and i1 %several, %enough
  br i1 %worth, label %nested, label %serial

nested:
  %state = call ptr @torchcc.state()
  %inside.at = getelementptr %State, ptr %state, i64 0, i32 8
  %inside = load i32, ptr %inside.at
  %is.inside = icmp ne i32 %inside, 0
  br i1 %is.inside, label %serial, label %claim

claim:
  %exchange = cmpxchg ptr @torchcc.busy, i32 0, i32 1 acq_rel monotonic
  %mine = extractvalue { i32, i1 } %exchange, 1
  br i1 %mine, label %split, label %serial

serial:
  %positive = icmp sgt i64 %total, 0
  br i1 %positive, label %run.serial, label %nothing

nothing:
  ret i32 0

run.serial:
  %status.serial = call i32 %body(ptr %context, i64 0, i64 %total)
  ret i32 %status.serial

split:
  ; about four pieces a thread: few enough to keep each long, many enough to even out
  %fair = shl i64 %threads.wide, 2
  %possible = udiv i64 %total, %grain.least
  %pieces = call i64 @llvm.smin.i64(i64 %fair, i64 %possible)
  %wanted.threads = sub i32 %threads, 1
  %helpers = sub i64 %pieces, 1
  %helpers.clipped = call i64 @llvm.smin.i64(i64 %helpers, i64 1023)
  %helpers.narrow = trunc i64 %helpers.clipped to i32
  %wanted = call i32 @llvm.smin.i32(i32 %wanted.threads, i32 %helpers.narrow)
  %workers = call i32 @torchcc.start_workers(i32 %wanted)
  store ptr %body, ptr @torchcc.body
  store ptr %context, ptr @torchcc.context
  store i64 %total, ptr @torchcc.total
  store i64 %pieces, ptr @torchcc.pieces
  %workers.wide = sext i32 %workers to i64
  %shares = add i64 %workers.wide, 1
  store i64 %shares, ptr @torchcc.shares
  br label %deal

deal:
  %share = phi i64 [ 0, %split ], [ %share.next, %deal ]
  %first.scaled = mul i64 %share, %pieces
  %first = udiv i64 %first.scaled, %shares
  %next = getelementptr [16 x i64], ptr @torchcc.next, i64 %share
  store atomic i64 %first, ptr %next monotonic, align 8
  %share.next = add i64 %share, 1
  %deals = icmp ult i64 %share.next, %shares
  br i1 %deals, label %deal, label %dealt

dealt:
  store i32 0, ptr @torchcc.failed
  store atomic i32 %workers, ptr @torchcc.limit monotonic, align 4
  %old = load atomic i32, ptr @torchcc.word monotonic, align 4
  %old.generation = and i32 %old, -65536
  %new.generation = add i32 %old.generation, 65536
  %open = or i32 %new.generation, 32768
  %previous = atomicrmw xchg ptr @torchcc.word, i32 %open seq_cst
  %sleepers = load atomic i32, ptr @torchcc.sleepers seq_cst, align 4
  %asleep = icmp sgt i32 %sleepers, 0
  call void @torchcc.wake_if(i1 %asleep, ptr @torchcc.word)
  call void @torchcc.work(i64 0)
  %at.close = atomicrmw and ptr @torchcc.word, i32 -32769 acq_rel
  br label %join

join:
  %spun = phi i32 [ 0, %dealt ], [ %spun.next, %pause ], [ 0, %slept ]
  %now = load atomic i32, ptr @torchcc.word acquire, align 4
  %workers.inside = and i32 %now, 32767
  %all.left = icmp eq i32 %workers.inside, 0
  br i1 %all.left, label %joined, label %pause.or.sleep

pause.or.sleep:
  ; about 20 us: a worker that was preempted must not cost this thread its time slice. Then others may have the core, which
  ; returns at once where nobody wants it: waking up from sleep would take longer than most pieces.
  %tired = icmp ugt i32 %spun, 1500
  br i1 %tired, label %sleep, label %awake

awake:
  %generous = icmp ugt i32 %spun, 1000
  br i1 %generous, label %yield, label %relax

yield:
  %yielded = call i32 @sched_yield()
  br label %pause

relax:
  call void @torchcc.relax()
  br label %pause

pause:
  %spun.next = add i32 %spun, 1
  br label %join

sleep:
  store atomic i32 1, ptr @torchcc.waiting seq_cst, align 4
  %leaving = load atomic i32, ptr @torchcc.leaving seq_cst, align 4
  %again = load atomic i32, ptr @torchcc.word seq_cst, align 4
  %still.inside = and i32 %again, 32767
  %still = icmp ne i32 %still.inside, 0
  call void @torchcc.wait_if(i1 %still, ptr @torchcc.leaving, i32 %leaving)
  br label %slept

slept:
  store atomic i32 0, ptr @torchcc.waiting monotonic, align 4
  br label %join

joined:
  %failed = load atomic i32, ptr @torchcc.failed acquire, align 4
  %has.failed = icmp ne i32 %failed, 0
  br i1 %has.failed, label %report, label %release

report:
  call void @torchcc_set_last_error(ptr @torchcc.failed_text)
  %failed.number = load i32, ptr @torchcc.failed_number
  call void @torchcc.set_error_number(i32 %failed.number)
  br label %release

release:
  store atomic i32 0, ptr @torchcc.busy release, align 4
  ret i32 %failed
}
