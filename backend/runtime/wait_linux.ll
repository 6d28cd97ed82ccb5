; Sleeping on a word, on Linux: futex(2).

declare i64 @syscall(i64, ...)
declare i32 @sched_getaffinity(i32, i64, ptr)
declare i64 @llvm.ctpop.i64(i64)

; Returns when the word may have changed from %value, or for no reason.
define internal void @torchcc.wait_word(ptr %word, i32 %value) nounwind {
  %ignored = call i64 (i64, ...) @syscall(i64 FUTEX_NUMBER, ptr %word, i32 128, i32 %value, ptr null, ptr null, i32 0) ; FUTEX_WAIT_PRIVATE
  ret void
}

define internal void @torchcc.wake_word(ptr %word) nounwind {
  %ignored = call i64 (i64, ...) @syscall(i64 FUTEX_NUMBER, ptr %word, i32 129, i32 2147483647, ptr null, ptr null, i32 0) ; FUTEX_WAKE_PRIVATE
  ret void
}

; Cores this process may run on.
define internal i32 @torchcc.available_cores() nounwind {
entry:
  %mask = alloca [16 x i64]
  call void @llvm.memset.p0.i64(ptr %mask, i8 0, i64 128, i1 false)
  %failed = call i32 @sched_getaffinity(i32 0, i64 128, ptr %mask)
  br label %loop

loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %loop ]
  %count = phi i64 [ 0, %entry ], [ %sum, %loop ]
  %at = getelementptr i64, ptr %mask, i64 %i
  %bits = load i64, ptr %at
  %ones = call i64 @llvm.ctpop.i64(i64 %bits)
  %sum = add i64 %count, %ones
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, 16
  br i1 %more, label %loop, label %done

done:
  %some = icmp ne i64 %sum, 0
  %result.wide = select i1 %some, i64 %sum, i64 1
  %result = trunc i64 %result.wide to i32
  ret i32 %result
}
