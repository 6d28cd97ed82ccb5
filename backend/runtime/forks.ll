; Forks: calls whose result is waited for, run by threads of their own.
;
; A future is an object (lists.ll) of width -3. Behind its head (%Future) stand masks and fields as in a record: first the
; results, then what the call was given. status: 0 not begun, 1 running, 2 done, 3 failed, 4 nobody wants it any more.
; Whoever changes it from 0 to 1 runs it: a thread of the queue, or who waits for it. So nobody waits for what has not
; begun, and since a call waits only for what itself has forked, some thread can always go on.
;
; A call that is forked has a %State of its own, so that what it makes belongs to no thread: when it has ended, only the
; thread that forked it touches that. The state stays while objects in it live, at the latest until the end of the call.

; count, -3, number of fields, status, function, its state, the state of who forked it, next and previous in the queue,
; next and previous of who forked it, whether it is in the queue
%Future = type { i64, i64, i64, i32, ptr, ptr, ptr, ptr, ptr, ptr, ptr, i64 }

@torchcc.queue_lock = internal global i32 0, align 128
@torchcc.queue_first = internal global ptr null
@torchcc.queue_last = internal global ptr null
@torchcc.runners = internal global i32 0        ; threads that exist
@torchcc.runners_registered = internal global i32 0
@torchcc.runners_idle = internal global i32 0, align 128
@torchcc.queue_word = internal global i32 0, align 128 ; counts what was put in; runners sleep on it
@torchcc.ended_word = internal global i32 0, align 128 ; counts what has ended; who waits sleeps on it
@torchcc.ended_waiting = internal global i32 0
@torchcc.forks_running = global i32 0, align 128

define internal void @torchcc.forks_after_fork() nounwind {
  store i32 0, ptr @torchcc.queue_lock
  store ptr null, ptr @torchcc.queue_first
  store ptr null, ptr @torchcc.queue_last
  store i32 0, ptr @torchcc.runners
  store i32 0, ptr @torchcc.runners_idle
  store i32 0, ptr @torchcc.ended_waiting
  store i32 0, ptr @torchcc.forks_running
  ret void
}

define internal void @torchcc.lock_queue() nounwind {
entry:
  br label %try

try:
  %spun = phi i32 [ 0, %entry ], [ %more, %pause ], [ 0, %yield ]
  %before = atomicrmw xchg ptr @torchcc.queue_lock, i32 1 acquire
  %free = icmp eq i32 %before, 0
  br i1 %free, label %done, label %busy

busy:
  %tired = icmp ugt i32 %spun, 100
  br i1 %tired, label %yield, label %pause

pause:
  call void @torchcc.relax()
  %more = add i32 %spun, 1
  br label %try

yield:
  %yielded = call i32 @sched_yield()
  br label %try

done:
  ret void
}

define internal void @torchcc.unlock_queue() nounwind {
  store atomic i32 0, ptr @torchcc.queue_lock release, align 4
  ret void
}

; A future of that many bytes and fields, which calls %function when it is run; null after setting the error when there is
; no memory. The masks are for the caller to store.
define ptr @torchcc.future_new(i64 %size, i64 %fields, ptr %function) nounwind {
  %future = call ptr @torchcc.object_alloc(i64 %size)
  %failed = icmp eq ptr %future, null
  br i1 %failed, label %done, label %fill

fill:
  call void @llvm.memset.p0.i64(ptr align 8 %future, i8 0, i64 %size, i1 false)
  store i64 1, ptr %future
  %width.at = getelementptr %Future, ptr %future, i64 0, i32 1
  store i64 -3, ptr %width.at
  %count.at = getelementptr %Future, ptr %future, i64 0, i32 2
  store i64 %fields, ptr %count.at
  %function.at = getelementptr %Future, ptr %future, i64 0, i32 4
  store ptr %function, ptr %function.at
  %ready = icmp eq ptr %function, null
  %status.at = getelementptr %Future, ptr %future, i64 0, i32 3
  %status = select i1 %ready, i32 2, i32 0
  store i32 %status, ptr %status.at
  %state = call ptr @torchcc.state()
  %parent.at = getelementptr %Future, ptr %future, i64 0, i32 6
  store ptr %state, ptr %parent.at
  %first.at = getelementptr %State, ptr %state, i64 0, i32 17
  %first = load ptr, ptr %first.at
  %next.at = getelementptr %Future, ptr %future, i64 0, i32 9
  store ptr %first, ptr %next.at
  store ptr %future, ptr %first.at
  %alone = icmp eq ptr %first, null
  br i1 %alone, label %done, label %link

link:
  %previous.at = getelementptr %Future, ptr %first, i64 0, i32 10
  store ptr %future, ptr %previous.at
  br label %done

done:
  ret ptr %future
}

; Puts the call into the queue: its fields are filled. With one thread it waits for whoever wants its result.
define void @torchcc.future_start(ptr %future) nounwind {
entry:
  %threads = call i32 @torchcc_num_threads()
  %several = icmp sgt i32 %threads, 1
  br i1 %several, label %put, label %done

put:
  call void @torchcc.lock_queue()
  %last = load ptr, ptr @torchcc.queue_last
  %previous.at = getelementptr %Future, ptr %future, i64 0, i32 8
  store ptr %last, ptr %previous.at
  %queued.at = getelementptr %Future, ptr %future, i64 0, i32 11
  store i64 1, ptr %queued.at
  store ptr %future, ptr @torchcc.queue_last
  %empty = icmp eq ptr %last, null
  br i1 %empty, label %first, label %behind

first:
  store ptr %future, ptr @torchcc.queue_first
  br label %threads.enough

behind:
  %next.at = getelementptr %Future, ptr %last, i64 0, i32 7
  store ptr %future, ptr %next.at
  br label %threads.enough

threads.enough:
  %idle = load atomic i32, ptr @torchcc.runners_idle monotonic, align 4
  %runners = load i32, ptr @torchcc.runners
  %wanted = sub i32 %threads, 1
  %missing = icmp slt i32 %runners, %wanted
  %none.idle = icmp sle i32 %idle, 0
  %start = and i1 %missing, %none.idle
  br i1 %start, label %more, label %filled

more:
  call void @torchcc.start_runner(i32 %runners)
  br label %filled

filled:
  call void @torchcc.unlock_queue()
  %counted = atomicrmw add ptr @torchcc.queue_word, i32 1 seq_cst
  %asleep = load atomic i32, ptr @torchcc.runners_idle seq_cst, align 4
  %any = icmp sgt i32 %asleep, 0
  call void @torchcc.wake_if(i1 %any, ptr @torchcc.queue_word)
  br label %done

done:
  ret void
}

; Starts one more thread, with the queue locked.
define internal void @torchcc.start_runner(i32 %runners) nounwind {
entry:
  %thread = alloca i64
  %registered = load i32, ptr @torchcc.runners_registered
  %once = icmp eq i32 %registered, 0
  br i1 %once, label %register, label %start

register:
  %ignored = call i32 @pthread_atfork(ptr null, ptr null, ptr @torchcc.forks_after_fork)
  store i32 1, ptr @torchcc.runners_registered
  br label %start

start:
  %failed = call i32 @pthread_create(ptr %thread, ptr null, ptr @torchcc.runner, ptr null)
  %bad = icmp ne i32 %failed, 0
  br i1 %bad, label %done, label %count

count:
  %handle = load i64, ptr %thread
  %detached = call i32 @pthread_detach(i64 %handle)
  %more = add i32 %runners, 1
  store i32 %more, ptr @torchcc.runners
  br label %done

done:
  ret void
}

; Takes a future out of the queue, which is locked, if it is in it.
define internal void @torchcc.unqueue(ptr %future) nounwind {
  %queued.at = getelementptr %Future, ptr %future, i64 0, i32 11
  %queued = load i64, ptr %queued.at
  %is.in = icmp ne i64 %queued, 0
  br i1 %is.in, label %take, label %done

take:
  store i64 0, ptr %queued.at
  %next.at = getelementptr %Future, ptr %future, i64 0, i32 7
  %next = load ptr, ptr %next.at
  %previous.at = getelementptr %Future, ptr %future, i64 0, i32 8
  %previous = load ptr, ptr %previous.at
  store ptr null, ptr %next.at
  store ptr null, ptr %previous.at
  %is.first = icmp eq ptr %previous, null
  %before.at = getelementptr %Future, ptr %previous, i64 0, i32 7
  %from = select i1 %is.first, ptr @torchcc.queue_first, ptr %before.at
  store ptr %next, ptr %from
  %is.last = icmp eq ptr %next, null
  %after.at = getelementptr %Future, ptr %next, i64 0, i32 8
  %back = select i1 %is.last, ptr @torchcc.queue_last, ptr %after.at
  store ptr %previous, ptr %back
  br label %done

done:
  ret void
}

; The life of a thread that takes calls from the queue.
define internal ptr @torchcc.runner(ptr %argument) nounwind {
entry:
  br label %look

look:
  %seen = load atomic i32, ptr @torchcc.queue_word seq_cst, align 4
  call void @torchcc.lock_queue()
  %first = load ptr, ptr @torchcc.queue_first
  %none = icmp eq ptr %first, null
  br i1 %none, label %empty, label %take

take:
  call void @torchcc.unqueue(ptr %first)
  %status.at = getelementptr %Future, ptr %first, i64 0, i32 3
  %exchange = cmpxchg ptr %status.at, i32 0, i32 1 acq_rel acquire
  %mine = extractvalue { i32, i1 } %exchange, 1
  call void @torchcc.unlock_queue()
  br i1 %mine, label %run, label %look

run:
  call void @torchcc.future_run(ptr %first)
  br label %look

empty:
  call void @torchcc.unlock_queue()
  br label %spin

spin:
  %spun = phi i32 [ 0, %empty ], [ %more, %pause ]
  %now = load atomic i32, ptr @torchcc.queue_word acquire, align 4
  %new = icmp ne i32 %now, %seen
  br i1 %new, label %look, label %pause

pause:
  call void @torchcc.relax()
  %more = add i32 %spun, 1
  %tired = icmp ugt i32 %more, 2000
  br i1 %tired, label %sleep, label %spin

sleep:
  %idle = atomicrmw add ptr @torchcc.runners_idle, i32 1 seq_cst
  %last = load atomic i32, ptr @torchcc.queue_word seq_cst, align 4
  %still = icmp eq i32 %last, %seen
  call void @torchcc.wait_if(i1 %still, ptr @torchcc.queue_word, i32 %seen)
  %less = atomicrmw sub ptr @torchcc.runners_idle, i32 1 seq_cst
  br label %look
}

; Runs a call at once, that is in no queue.
define void @torchcc.future_run_here(ptr %future) nounwind {
  %status.at = getelementptr %Future, ptr %future, i64 0, i32 3
  store i32 1, ptr %status.at
  call void @torchcc.future_run(ptr %future)
  ret void
}

; Runs a call that this thread has set to running. What it keeps in the arena stands behind what this thread has there.
define internal void @torchcc.future_run(ptr %future) nounwind {
entry:
  %running = atomicrmw add ptr @torchcc.forks_running, i32 1 monotonic
  %own = call ptr @torchcc.state()
  %size = ptrtoint ptr getelementptr (%State, ptr null, i64 1) to i64
  %state = call ptr @calloc(i64 1, i64 %size)
  %none = icmp eq ptr %state, null
  %status.at = getelementptr %Future, ptr %future, i64 0, i32 3
  %state.at = getelementptr %Future, ptr %future, i64 0, i32 5
  store ptr %state, ptr %state.at
  br i1 %none, label %end, label %prepare

prepare:
  store ptr %state, ptr %state
  %newest = getelementptr %State, ptr %state, i64 0, i32 1
  store ptr %state, ptr %newest
  %own.text.at = getelementptr %State, ptr %own, i64 0, i32 9
  %own.text = load ptr, ptr %own.text.at
  %text.at = getelementptr %State, ptr %state, i64 0, i32 9
  store ptr %own.text, ptr %text.at
  %mark = call ptr @torchcc.arena_mark()
  call void @torchcc.move_arena(ptr %own, ptr %state)
  %depth.at = getelementptr %State, ptr %own, i64 0, i32 21
  %depth = load i64, ptr %depth.at
  %deeper = add i64 %depth, 1
  %own.depth.at = getelementptr %State, ptr %state, i64 0, i32 21
  store i64 %deeper, ptr %own.depth.at
  %key = load i64, ptr @torchcc.key
  %set = call i32 @pthread_setspecific(i64 %key, ptr %state)
  %function.at = getelementptr %Future, ptr %future, i64 0, i32 4
  %function = load ptr, ptr %function.at
  %failed = call i32 %function(ptr %future)
  call void @torchcc.end_futures(ptr %state)
  call void @torchcc.arena_release(ptr %mark)
  call void @torchcc.move_arena(ptr %state, ptr %own)
  %reset = call i32 @pthread_setspecific(i64 %key, ptr %own)
  %good = icmp eq i32 %failed, 0
  br i1 %good, label %numbers, label %clean

numbers:
  %live.at = getelementptr %State, ptr %state, i64 0, i32 16
  %live = load i64, ptr %live.at
  %inner.at = getelementptr %State, ptr %state, i64 0, i32 18
  %inner = load ptr, ptr %inner.at
  %nothing = icmp eq i64 %live, 0
  %alone = icmp eq ptr %inner, null
  %unneeded = and i1 %nothing, %alone
  br i1 %unneeded, label %forget, label %end

forget:
  %none.left = call i64 @torchcc.free_state(ptr %state)
  store ptr null, ptr %state.at
  br label %end

clean:
  ; the text is this thread's
  call void @torchcc.free_state_blocks(ptr %state)
  %length = call i64 @strlen(ptr %own.text)
  %with.zero = add i64 %length, 1
  %copy = call ptr @calloc(i64 1, i64 %with.zero)
  store ptr %copy, ptr %text.at
  %no.copy = icmp eq ptr %copy, null
  br i1 %no.copy, label %end, label %copy.text

copy.text:
  call void @llvm.memcpy.p0.p0.i64(ptr %copy, ptr %own.text, i64 %with.zero, i1 false)
  br label %end

end:
  %bad = phi i1 [ true, %entry ], [ false, %numbers ], [ false, %forget ], [ true, %clean ], [ true, %copy.text ]
  %outcome = select i1 %bad, i32 3, i32 2
  %fewer = atomicrmw sub ptr @torchcc.forks_running, i32 1 monotonic
  store atomic i32 %outcome, ptr %status.at seq_cst, align 4
  ; from here on the future may be gone
  %counted = atomicrmw add ptr @torchcc.ended_word, i32 1 seq_cst
  %waiting = load atomic i32, ptr @torchcc.ended_waiting seq_cst, align 4
  %any = icmp sgt i32 %waiting, 0
  call void @torchcc.wake_if(i1 %any, ptr @torchcc.ended_word)
  ret void
}

; With what was printed and is not written yet.
define internal void @torchcc.move_arena(ptr %from, ptr %to) nounwind {
  %from.head = getelementptr %State, ptr %from, i64 0, i32 2
  %to.head = getelementptr %State, ptr %to, i64 0, i32 2
  %head = load ptr, ptr %from.head
  store ptr %head, ptr %to.head
  store ptr null, ptr %from.head
  %from.size = getelementptr %State, ptr %from, i64 0, i32 3
  %to.size = getelementptr %State, ptr %to, i64 0, i32 3
  %size = load i64, ptr %from.size
  store i64 %size, ptr %to.size
  %from.text = getelementptr %State, ptr %from, i64 0, i32 10
  %to.text = getelementptr %State, ptr %to, i64 0, i32 10
  %text = load ptr, ptr %from.text
  store ptr %text, ptr %to.text
  store ptr null, ptr %from.text
  %from.used = getelementptr %State, ptr %from, i64 0, i32 11
  %to.used = getelementptr %State, ptr %to, i64 0, i32 11
  %used = load i64, ptr %from.used
  store i64 %used, ptr %to.used
  store i64 0, ptr %from.used
  ret void
}

; Until the call has ended: this thread runs it, if nobody does, or else something of its own that nobody runs.
define internal void @torchcc.future_end(ptr %future) nounwind {
entry:
  %status.at = getelementptr %Future, ptr %future, i64 0, i32 3
  br label %again

again:
  %spun = phi i32 [ 0, %entry ], [ 0, %run ], [ 0, %helped ], [ %more, %pause ], [ 0, %sleep ]
  %status = load atomic i32, ptr %status.at acquire, align 4
  switch i32 %status, label %done [ i32 0, label %claim
                                    i32 1, label %busy ]

claim:
  %exchange = cmpxchg ptr %status.at, i32 0, i32 1 acq_rel acquire
  %mine = extractvalue { i32, i1 } %exchange, 1
  br i1 %mine, label %run, label %busy

run:
  call void @torchcc.lock_queue()
  call void @torchcc.unqueue(ptr %future)
  call void @torchcc.unlock_queue()
  call void @torchcc.future_run(ptr %future)
  br label %again

busy:
  %help = icmp eq i32 %spun, 0
  br i1 %help, label %helping, label %idle

helping:
  %found = call i1 @torchcc.help()
  br i1 %found, label %helped, label %idle

helped:
  br label %again

idle:
  %tired = icmp ugt i32 %spun, 1000
  br i1 %tired, label %sleep, label %pause

pause:
  call void @torchcc.relax()
  %more = add i32 %spun, 1
  br label %again

sleep:
  %waiting = atomicrmw add ptr @torchcc.ended_waiting, i32 1 seq_cst
  %value = load atomic i32, ptr @torchcc.ended_word seq_cst, align 4
  %now = load atomic i32, ptr %status.at seq_cst, align 4
  %still = icmp eq i32 %now, 1
  call void @torchcc.wait_if(i1 %still, ptr @torchcc.ended_word, i32 %value)
  %less = atomicrmw sub ptr @torchcc.ended_waiting, i32 1 seq_cst
  br label %again

done:
  ret void
}

; Runs the newest call in the queue that this one has forked; whether there was one.
define internal i1 @torchcc.help() nounwind {
entry:
  %state = call ptr @torchcc.state()
  %depth.at = getelementptr %State, ptr %state, i64 0, i32 21
  %depth = load i64, ptr %depth.at
  %deep = icmp ugt i64 %depth, 8
  %first.at = getelementptr %State, ptr %state, i64 0, i32 17
  %first = load ptr, ptr %first.at
  br i1 %deep, label %none, label %look

look:
  %future = phi ptr [ %first, %entry ], [ %following, %next ]
  %seen = phi i32 [ 0, %entry ], [ %more, %next ]
  %end = icmp eq ptr %future, null
  %enough = icmp ugt i32 %seen, 64
  %stop = or i1 %end, %enough
  br i1 %stop, label %none, label %look.at

look.at:
  %queued.at = getelementptr %Future, ptr %future, i64 0, i32 11
  %queued = load atomic i64, ptr %queued.at monotonic, align 8
  %status.at = getelementptr %Future, ptr %future, i64 0, i32 3
  %status = load atomic i32, ptr %status.at monotonic, align 4
  %is.queued = icmp ne i64 %queued, 0
  %fresh = icmp eq i32 %status, 0
  %may = and i1 %is.queued, %fresh
  br i1 %may, label %claim, label %next

claim:
  %exchange = cmpxchg ptr %status.at, i32 0, i32 1 acq_rel acquire
  %mine = extractvalue { i32, i1 } %exchange, 1
  br i1 %mine, label %run, label %next

run:
  call void @torchcc.lock_queue()
  call void @torchcc.unqueue(ptr %future)
  call void @torchcc.unlock_queue()
  call void @torchcc.future_run(ptr %future)
  ret i1 true

next:
  %next.at = getelementptr %Future, ptr %future, i64 0, i32 9
  %following = load ptr, ptr %next.at
  %more = add i32 %seen, 1
  br label %look

none:
  ret i1 false
}

; Waits for the result. True after setting the error of the call, if it failed.
define i1 @torchcc.future_wait(ptr %future) nounwind {
entry:
  call void @torchcc.future_end(ptr %future)
  %status.at = getelementptr %Future, ptr %future, i64 0, i32 3
  %status = load atomic i32, ptr %status.at acquire, align 4
  %failed = icmp eq i32 %status, 3
  br i1 %failed, label %report, label %good

report:
  %state.at = getelementptr %Future, ptr %future, i64 0, i32 5
  %state = load ptr, ptr %state.at
  %none = icmp eq ptr %state, null
  br i1 %none, label %memory, label %copy

memory:
  %size = ptrtoint ptr getelementptr (%State, ptr null, i64 1) to i64
  call void @torchcc.out_of_memory(i64 %size)
  ret i1 true

copy:
  %text.at = getelementptr %State, ptr %state, i64 0, i32 9
  %text = load ptr, ptr %text.at
  %no.text = icmp eq ptr %text, null
  br i1 %no.text, label %memory, label %told

told:
  call void @torchcc_set_last_error(ptr %text)
  %number.at = getelementptr %State, ptr %state, i64 0, i32 7
  %number = load i32, ptr %number.at
  call void @torchcc.set_error_number(i32 %number)
  ret i1 true

good:
  ret i1 false
}

; Makes sure that the call does not run any more, or never will, and forgets it: who forked it does so.
define internal void @torchcc.future_drop(ptr %future) nounwind {
entry:
  %status.at = getelementptr %Future, ptr %future, i64 0, i32 3
  %exchange = cmpxchg ptr %status.at, i32 0, i32 4 acq_rel acquire
  %cancelled = extractvalue { i32, i1 } %exchange, 1
  br i1 %cancelled, label %cancel, label %wait

cancel:
  call void @torchcc.lock_queue()
  call void @torchcc.unqueue(ptr %future)
  call void @torchcc.unlock_queue()
  br label %unlink

wait:
  call void @torchcc.future_end(ptr %future)
  br label %unlink

unlink:
  %parent.at = getelementptr %Future, ptr %future, i64 0, i32 6
  %parent = load ptr, ptr %parent.at
  %next.at = getelementptr %Future, ptr %future, i64 0, i32 9
  %next = load ptr, ptr %next.at
  %previous.at = getelementptr %Future, ptr %future, i64 0, i32 10
  %previous = load ptr, ptr %previous.at
  %is.first = icmp eq ptr %previous, null
  %first.at = getelementptr %State, ptr %parent, i64 0, i32 17
  %before.at = getelementptr %Future, ptr %previous, i64 0, i32 9
  %from = select i1 %is.first, ptr %first.at, ptr %before.at
  store ptr %next, ptr %from
  %is.last = icmp eq ptr %next, null
  br i1 %is.last, label %state, label %behind

behind:
  %after.at = getelementptr %Future, ptr %next, i64 0, i32 10
  store ptr %previous, ptr %after.at
  br label %state

state:
  %state.at = getelementptr %Future, ptr %future, i64 0, i32 5
  %made = load ptr, ptr %state.at
  %none = icmp eq ptr %made, null
  br i1 %none, label %done, label %keep

keep:
  store ptr null, ptr %state.at
  %status = load atomic i32, ptr %status.at acquire, align 4
  %failed = icmp eq i32 %status, 3
  br i1 %failed, label %forget, label %put

forget:
  %text.at = getelementptr %State, ptr %made, i64 0, i32 9
  %text = load ptr, ptr %text.at
  call void @free(ptr %text)
  br label %put

put:
  call void @torchcc.keep_state(ptr %made, ptr %parent)
  br label %done

done:
  ret void
}

; States of calls that have ended: field 18 the first one of them, 19 the next one, 20 how many more may be kept before
; those in which nothing lives any more are looked for.
define internal void @torchcc.keep_state(ptr %state, ptr %parent) nounwind {
entry:
  %first.at = getelementptr %State, ptr %parent, i64 0, i32 18
  %first = load ptr, ptr %first.at
  %next.at = getelementptr %State, ptr %state, i64 0, i32 19
  store ptr %first, ptr %next.at
  store ptr %state, ptr %first.at
  %room.at = getelementptr %State, ptr %parent, i64 0, i32 20
  %room = load i64, ptr %room.at
  %full = icmp eq i64 %room, 0
  br i1 %full, label %sweep, label %count

count:
  %less = sub i64 %room, 1
  store i64 %less, ptr %room.at
  ret void

sweep:
  %from = phi ptr [ %first.at, %entry ], [ %from, %free ], [ %current.next, %stay ]
  %kept = phi i64 [ 0, %entry ], [ %kept, %free ], [ %kept.more, %stay ]
  %current = load ptr, ptr %from
  %end = icmp eq ptr %current, null
  br i1 %end, label %done, label %look

look:
  %current.next = getelementptr %State, ptr %current, i64 0, i32 19
  %live.at = getelementptr %State, ptr %current, i64 0, i32 16
  %live = load i64, ptr %live.at
  %inner.at = getelementptr %State, ptr %current, i64 0, i32 18
  %inner = load ptr, ptr %inner.at
  %dead = icmp eq i64 %live, 0
  %leaf = icmp eq ptr %inner, null
  %gone = and i1 %dead, %leaf
  br i1 %gone, label %free, label %stay

free:
  %following = load ptr, ptr %current.next
  store ptr %following, ptr %from
  %left = call i64 @torchcc.free_state(ptr %current)
  br label %sweep

stay:
  %kept.more = add i64 %kept, 1
  br label %sweep

done:
  %least = call i64 @llvm.umax.i64(i64 %kept, i64 15)
  store i64 %least, ptr %room.at
  ret void
}

define internal void @torchcc.free_state_blocks(ptr %state) nounwind {
  %next.at = getelementptr %State, ptr %state, i64 0, i32 1
  br label %loop

loop:
  %block = load ptr, ptr %next.at
  %end = icmp eq ptr %block, %state
  br i1 %end, label %done, label %drop

drop:
  %data = getelementptr i8, ptr %block, i64 64
  call void @torchcc.dealloc(ptr %data)
  br label %loop

done:
  %live.at = getelementptr %State, ptr %state, i64 0, i32 16
  store i64 0, ptr %live.at
  ret void
}

; Frees a state with all that is in it; how many objects lived there.
define internal i64 @torchcc.free_state(ptr %state) nounwind {
  %live.at = getelementptr %State, ptr %state, i64 0, i32 16
  %live = load i64, ptr %live.at
  %inner = call i64 @torchcc.free_states(ptr %state)
  call void @torchcc.free_state_blocks(ptr %state)
  call void @free(ptr %state)
  %all = add i64 %live, %inner
  ret i64 %all
}

; The same for the states that this one keeps. Forks are nested no deeper than in the program.
define internal i64 @torchcc.free_states(ptr %state) nounwind {
entry:
  %first.at = getelementptr %State, ptr %state, i64 0, i32 18
  br label %loop

loop:
  %sum = phi i64 [ 0, %entry ], [ %more, %free ]
  %current = load ptr, ptr %first.at
  %end = icmp eq ptr %current, null
  br i1 %end, label %done, label %free

free:
  %next.at = getelementptr %State, ptr %current, i64 0, i32 19
  %next = load ptr, ptr %next.at
  store ptr %next, ptr %first.at
  %live = call i64 @torchcc.free_state(ptr %current)
  %more = add i64 %sum, %live
  br label %loop

done:
  %room.at = getelementptr %State, ptr %state, i64 0, i32 20
  store i64 0, ptr %room.at
  ret i64 %sum
}

; A call ends: none that it has forked runs any more.
define internal void @torchcc.end_futures(ptr %state) nounwind {
entry:
  %first.at = getelementptr %State, ptr %state, i64 0, i32 17
  br label %loop

loop:
  %future = load ptr, ptr %first.at
  %end = icmp eq ptr %future, null
  br i1 %end, label %done, label %drop

drop:
  call void @torchcc.future_drop(ptr %future)
  br label %loop

done:
  ret void
}
