; Sleeping on a word, where there is no futex: one mutex and one condition for all words. (macOS; the objects are larger
; than any system's pthread types and are initialised on first use.)

@torchcc.mutex = global [16 x i64] zeroinitializer
@torchcc.condition = global [16 x i64] zeroinitializer
@torchcc.wait_status = global i32 0 ; 0 not initialised, 1 being, 2 ready

declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare i64 @sysconf(i32)

define internal void @torchcc.lock_words() nounwind {
entry:
  %exchange = cmpxchg ptr @torchcc.wait_status, i32 0, i32 1 acq_rel acquire
  %first = extractvalue { i32, i1 } %exchange, 1
  br i1 %first, label %make, label %wait

make:
  %mutex.made = call i32 @pthread_mutex_init(ptr @torchcc.mutex, ptr null)
  %condition.made = call i32 @pthread_cond_init(ptr @torchcc.condition, ptr null)
  store atomic i32 2, ptr @torchcc.wait_status release, align 4
  br label %lock

wait:
  %status = load atomic i32, ptr @torchcc.wait_status acquire, align 4
  %ready = icmp eq i32 %status, 2
  br i1 %ready, label %lock, label %wait

lock:
  %locked = call i32 @pthread_mutex_lock(ptr @torchcc.mutex)
  ret void
}

define internal void @torchcc.wait_word(ptr %word, i32 %value) nounwind {
  call void @torchcc.lock_words()
  %now = load atomic i32, ptr %word seq_cst, align 4
  %same = icmp eq i32 %now, %value
  br i1 %same, label %sleep, label %return

sleep:
  %woken = call i32 @pthread_cond_wait(ptr @torchcc.condition, ptr @torchcc.mutex)
  br label %return

return:
  %unlocked = call i32 @pthread_mutex_unlock(ptr @torchcc.mutex)
  ret void
}

define internal void @torchcc.wake_word(ptr %word) nounwind {
  call void @torchcc.lock_words()
  %woken = call i32 @pthread_cond_broadcast(ptr @torchcc.condition)
  %unlocked = call i32 @pthread_mutex_unlock(ptr @torchcc.mutex)
  ret void
}

define internal i32 @torchcc.available_cores() nounwind {
  %count = call i64 @sysconf(i32 58) ; _SC_NPROCESSORS_ONLN of macOS
  %some = icmp sgt i64 %count, 0
  %result.wide = select i1 %some, i64 %count, i64 1
  %result = trunc i64 %result.wide to i32
  ret i32 %result
}
