; Tensors at the boundary: checks, strided copies, results. %DLTensor, %TensorCheck and %DimensionCheck are defined by abi.py.

@torchcc.text_null_tensor = private constant [24 x i8] c"%s: the tensor is NULL.\00"
@torchcc.text_null_data = private constant [22 x i8] c"%s: its data is NULL.\00"
@torchcc.text_device = private constant [63 x i8] c"%s: expected a tensor in CPU memory, got DLPack device type %d\00"
@torchcc.text_expected = private constant [24 x i8] c"%s: expected %s, got %s\00"
@torchcc.text_dimension = private constant [60 x i8] c"%s: dimension `%s` is %ld here, but %ld in another argument\00"
@torchcc.text_below = private constant [46 x i8] c"%s: dimension `%s` is %ld, its minimum is %ld\00"
@torchcc.text_above = private constant [46 x i8] c"%s: dimension `%s` is %ld, its maximum is %ld\00"
@torchcc.text_large = private constant [34 x i8] c"%s: too many elements for memory.\00"
@torchcc.text_open = private constant [2 x i8] c"[\00"
@torchcc.text_extent = private constant [6 x i8] c"%s%ld\00"
@torchcc.text_comma = private constant [2 x i8] c",\00"
@torchcc.text_empty = private constant [1 x i8] zeroinitializer
@torchcc.text_close = private constant [2 x i8] c"]\00"
@torchcc.text_type = private constant [5 x i8] c"%s%d\00"
@torchcc.text_bool = private constant [5 x i8] c"bool\00"
@torchcc.text_i = private constant [2 x i8] c"i\00"
@torchcc.text_u = private constant [2 x i8] c"u\00"
@torchcc.text_f = private constant [2 x i8] c"f\00"
@torchcc.text_bf = private constant [3 x i8] c"bf\00"
@torchcc.text_c = private constant [2 x i8] c"c\00"
@torchcc.text_unknown = private constant [15 x i8] c"unknown dtype \00"

declare ptr @malloc(i64)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare { i64, i1 } @llvm.umul.with.overflow.i64(i64, i64)

; Appends to the text of at most 256 bytes and returns its new length.
define internal i64 @torchcc.clip(i64 %length, i32 %written) nounwind {
  %wide = sext i32 %written to i64
  %sum = add i64 %length, %wide
  %over = icmp ugt i64 %sum, 255
  %clipped = select i1 %over, i64 255, i64 %sum
  ret i64 %clipped
}

; "f32[2,3]" into a buffer of 256 bytes.
define internal void @torchcc.describe(i8 %code, i8 %bits, i32 %ndim, ptr %shape, ptr %text) cold nounwind {
entry:
  %bits.wide = zext i8 %bits to i32
  switch i8 %code, label %unknown [
    i8 0, label %i
    i8 1, label %u
    i8 2, label %f
    i8 4, label %bf
    i8 5, label %c
    i8 6, label %bool
  ]
i:
  br label %name
u:
  br label %name
f:
  br label %name
bf:
  br label %name
c:
  br label %name
unknown:
  br label %name

bool:
  %bool.length = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 256, ptr @torchcc.text_bool)
  br label %open

name:
  %prefix = phi ptr [ @torchcc.text_i, %i ], [ @torchcc.text_u, %u ], [ @torchcc.text_f, %f ], [ @torchcc.text_bf, %bf ], [ @torchcc.text_c, %c ], [ @torchcc.text_unknown, %unknown ]
  %name.length = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 256, ptr @torchcc.text_type, ptr %prefix, i32 %bits.wide)
  br label %open

open:
  %type.length = phi i32 [ %bool.length, %bool ], [ %name.length, %name ]
  %type.wide = sext i32 %type.length to i64
  %at.open = getelementptr i8, ptr %text, i64 %type.wide
  %opened = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %at.open, i64 8, ptr @torchcc.text_open)
  %start = add i64 %type.wide, 1
  %rank = sext i32 %ndim to i64
  br label %loop

loop:
  %i.index = phi i64 [ 0, %open ], [ %i.next, %extent ]
  %length = phi i64 [ %start, %open ], [ %length.next, %extent ]
  %more = icmp slt i64 %i.index, %rank
  br i1 %more, label %extent, label %close

extent:
  %first = icmp eq i64 %i.index, 0
  %separator = select i1 %first, ptr @torchcc.text_empty, ptr @torchcc.text_comma
  %extent.at = getelementptr i64, ptr %shape, i64 %i.index
  %value = load i64, ptr %extent.at
  %room = sub i64 256, %length
  %at = getelementptr i8, ptr %text, i64 %length
  %written = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %at, i64 %room, ptr @torchcc.text_extent, ptr %separator, i64 %value)
  %length.next = call i64 @torchcc.clip(i64 %length, i32 %written)
  %i.next = add i64 %i.index, 1
  br label %loop

close:
  %room.close = sub i64 256, %length
  %at.close = getelementptr i8, ptr %text, i64 %length
  %closed = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %at.close, i64 %room.close, ptr @torchcc.text_close)
  ret void
}

define internal void @torchcc.complain(ptr %format, ptr %check) cold nounwind {
  %text = alloca [512 x i8]
  %role = load ptr, ptr %check
  %written = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 512, ptr %format, ptr %role)
  call void @torchcc.error(ptr %text)
  ret void
}

define internal void @torchcc.mismatch(ptr %tensor, ptr %shape, ptr %check) cold nounwind {
  %text = alloca [1024 x i8]
  %got = alloca [256 x i8]
  %role = load ptr, ptr %check
  %expected.at = getelementptr %TensorCheck, ptr %check, i64 0, i32 1
  %expected = load ptr, ptr %expected.at
  %code.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 3, i32 0
  %code = load i8, ptr %code.at
  %bits.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 3, i32 1
  %bits = load i8, ptr %bits.at
  %ndim.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 2
  %ndim = load i32, ptr %ndim.at
  call void @torchcc.describe(i8 %code, i8 %bits, i32 %ndim, ptr %shape, ptr %got)
  %written = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 1024, ptr @torchcc.text_expected, ptr %role, ptr %expected, ptr %got)
  call void @torchcc.error(ptr %text)
  ret void
}

; Whether the tensor is there, on the CPU, and of the checked dtype and rank, with the static extents; dynamic extents only non-negative.
define internal i1 @torchcc.check(ptr %tensor, ptr %check) nounwind {
entry:
  %missing = icmp eq ptr %tensor, null
  br i1 %missing, label %null, label %device

null:
  call void @torchcc.complain(ptr @torchcc.text_null_tensor, ptr %check)
  ret i1 false

device:
  %device.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 1, i32 0
  %device.type = load i32, ptr %device.at
  %cpu = icmp eq i32 %device.type, 1
  br i1 %cpu, label %type, label %elsewhere

elsewhere:
  %text = alloca [512 x i8]
  %role = load ptr, ptr %check
  %written = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 512, ptr @torchcc.text_device, ptr %role, i32 %device.type)
  call void @torchcc.error(ptr %text)
  ret i1 false

type:
  %shape.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 4
  %shape = load ptr, ptr %shape.at
  %type.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 3, i32 0
  %code = load i8, ptr %type.at
  %bits.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 3, i32 1
  %bits = load i8, ptr %bits.at
  %lanes.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 3, i32 2
  %lanes = load i16, ptr %lanes.at
  %ndim.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 2
  %ndim = load i32, ptr %ndim.at
  %code.check = getelementptr %TensorCheck, ptr %check, i64 0, i32 2
  %code.wanted = load i8, ptr %code.check
  %bits.check = getelementptr %TensorCheck, ptr %check, i64 0, i32 3
  %bits.wanted = load i8, ptr %bits.check
  %ndim.check = getelementptr %TensorCheck, ptr %check, i64 0, i32 4
  %ndim.wanted = load i32, ptr %ndim.check
  %extents.check = getelementptr %TensorCheck, ptr %check, i64 0, i32 5
  %extents = load ptr, ptr %extents.check
  %same.code = icmp eq i8 %code, %code.wanted
  %same.bits = icmp eq i8 %bits, %bits.wanted
  %same.lanes = icmp eq i16 %lanes, 1
  %same.ndim = icmp eq i32 %ndim, %ndim.wanted
  %same.1 = and i1 %same.code, %same.bits
  %same.2 = and i1 %same.lanes, %same.ndim
  %same = and i1 %same.1, %same.2
  br i1 %same, label %extents.start, label %wrong

extents.start:
  %rank = sext i32 %ndim to i64
  br label %loop

loop:
  %i = phi i64 [ 0, %extents.start ], [ %i.next, %next ]
  %more = icmp slt i64 %i, %rank
  br i1 %more, label %extent, label %good

extent:
  %wanted.at = getelementptr i64, ptr %extents, i64 %i
  %wanted = load i64, ptr %wanted.at
  %got.at = getelementptr i64, ptr %shape, i64 %i
  %got = load i64, ptr %got.at
  %is.dynamic = icmp slt i64 %wanted, 0
  %equal = icmp eq i64 %wanted, %got
  %sane = icmp sge i64 %got, 0
  %fits = select i1 %is.dynamic, i1 %sane, i1 %equal
  br i1 %fits, label %next, label %wrong

next:
  %i.next = add i64 %i, 1
  br label %loop

wrong:
  call void @torchcc.mismatch(ptr %tensor, ptr %shape, ptr %check)
  ret i1 false

good:
  ret i1 true
}

; Dynamic dimensions of one argument against their ranges and against earlier arguments; %values holds -1 where still unknown.
define internal i1 @torchcc.check_dimensions(ptr %tensor, ptr %check, ptr %dimensions, ptr %values) nounwind {
entry:
  %text = alloca [512 x i8]
  %role = load ptr, ptr %check
  %shape.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 4
  %shape = load ptr, ptr %shape.at
  %ndim.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 2
  %ndim = load i32, ptr %ndim.at
  %rank = sext i32 %ndim to i64
  %extents.check = getelementptr %TensorCheck, ptr %check, i64 0, i32 5
  %extents = load ptr, ptr %extents.check
  br label %loop

loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %next ]
  %more = icmp slt i64 %i, %rank
  br i1 %more, label %extent, label %good

extent:
  %wanted.at = getelementptr i64, ptr %extents, i64 %i
  %wanted = load i64, ptr %wanted.at
  %is.dynamic = icmp slt i64 %wanted, 0
  br i1 %is.dynamic, label %dynamic, label %next

dynamic:
  %number = sub i64 -1, %wanted
  %got.at = getelementptr i64, ptr %shape, i64 %i
  %got = load i64, ptr %got.at
  %name.at = getelementptr %DimensionCheck, ptr %dimensions, i64 %number, i32 0
  %name = load ptr, ptr %name.at
  %minimum.at = getelementptr %DimensionCheck, ptr %dimensions, i64 %number, i32 1
  %minimum = load i64, ptr %minimum.at
  %maximum.at = getelementptr %DimensionCheck, ptr %dimensions, i64 %number, i32 2
  %maximum = load i64, ptr %maximum.at
  %value.at = getelementptr i64, ptr %values, i64 %number
  %value = load i64, ptr %value.at
  %below = icmp slt i64 %got, %minimum
  br i1 %below, label %too.small, label %upper

upper:
  %above = icmp sgt i64 %got, %maximum
  br i1 %above, label %too.large, label %known

known:
  %unknown = icmp slt i64 %value, 0
  %equal = icmp eq i64 %value, %got
  %fits = or i1 %unknown, %equal
  br i1 %fits, label %set, label %differs

set:
  store i64 %got, ptr %value.at
  br label %next

next:
  %i.next = add i64 %i, 1
  br label %loop

too.small:
  %written.small = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 512, ptr @torchcc.text_below, ptr %role, ptr %name, i64 %got, i64 %minimum)
  br label %bad

too.large:
  %written.large = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 512, ptr @torchcc.text_above, ptr %role, ptr %name, i64 %got, i64 %maximum)
  br label %bad

differs:
  %written.differs = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 512, ptr @torchcc.text_dimension, ptr %role, ptr %name, i64 %got, i64 %value)
  br label %bad

bad:
  call void @torchcc.error(ptr %text)
  ret i1 false

good:
  ret i1 true
}

; Row-major strides of a shape.
define internal void @torchcc.row_major(ptr %shape, i64 %rank, ptr %strides) nounwind {
entry:
  br label %loop

loop:
  %left = phi i64 [ %rank, %entry ], [ %i, %step ]
  %stride = phi i64 [ 1, %entry ], [ %stride.next, %step ]
  %more = icmp sgt i64 %left, 0
  br i1 %more, label %step, label %done

step:
  %i = sub i64 %left, 1
  %at = getelementptr i64, ptr %strides, i64 %i
  store i64 %stride, ptr %at
  %extent.at = getelementptr i64, ptr %shape, i64 %i
  %extent = load i64, ptr %extent.at
  %stride.next = mul i64 %stride, %extent
  br label %loop

done:
  ret void
}

; Copies a box element by element; strides in elements, %size the bytes of an element.
define internal void @torchcc.copy(ptr %to, ptr %to.strides, ptr %from, ptr %from.strides, ptr %shape, i64 %rank, i64 %size) nounwind {
entry:
  %scalar = icmp eq i64 %rank, 0
  br i1 %scalar, label %one, label %rows

one:
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %size, i1 false)
  ret void

rows:
  %extent = load i64, ptr %shape
  %to.stride = load i64, ptr %to.strides
  %from.stride = load i64, ptr %from.strides
  %to.step = mul i64 %to.stride, %size
  %from.step = mul i64 %from.stride, %size
  %inner.rank = sub i64 %rank, 1
  %innermost = icmp eq i64 %inner.rank, 0
  %to.dense = icmp eq i64 %to.stride, 1
  %from.dense = icmp eq i64 %from.stride, 1
  %both = and i1 %to.dense, %from.dense
  %block = and i1 %innermost, %both
  br i1 %block, label %dense, label %kind

dense:
  %bytes = mul i64 %extent, %size
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 false)
  ret void

kind:
  br i1 %innermost, label %elements, label %nest

; one loop for each element size: the switch stands outside
elements:
  switch i64 %size, label %nest [
    i64 1, label %loop1
    i64 2, label %loop2
    i64 4, label %loop4
    i64 8, label %loop8
  ]

loop1:
  %i1 = phi i64 [ 0, %elements ], [ %i1.next, %body1 ]
  %more1 = icmp slt i64 %i1, %extent
  br i1 %more1, label %body1, label %done

body1:
  %from1.offset = mul i64 %i1, %from.step
  %to1.offset = mul i64 %i1, %to.step
  %from1 = getelementptr i8, ptr %from, i64 %from1.offset
  %to1 = getelementptr i8, ptr %to, i64 %to1.offset
  %v1 = load i8, ptr %from1, align 1
  store i8 %v1, ptr %to1, align 1
  %i1.next = add i64 %i1, 1
  br label %loop1

loop2:
  %i2 = phi i64 [ 0, %elements ], [ %i2.next, %body2 ]
  %more2 = icmp slt i64 %i2, %extent
  br i1 %more2, label %body2, label %done

body2:
  %from2.offset = mul i64 %i2, %from.step
  %to2.offset = mul i64 %i2, %to.step
  %from2 = getelementptr i8, ptr %from, i64 %from2.offset
  %to2 = getelementptr i8, ptr %to, i64 %to2.offset
  %v2 = load i16, ptr %from2, align 1
  store i16 %v2, ptr %to2, align 1
  %i2.next = add i64 %i2, 1
  br label %loop2

loop4:
  %i4 = phi i64 [ 0, %elements ], [ %i4.next, %body4 ]
  %more4 = icmp slt i64 %i4, %extent
  br i1 %more4, label %body4, label %done

body4:
  %from4.offset = mul i64 %i4, %from.step
  %to4.offset = mul i64 %i4, %to.step
  %from4 = getelementptr i8, ptr %from, i64 %from4.offset
  %to4 = getelementptr i8, ptr %to, i64 %to4.offset
  %v4 = load i32, ptr %from4, align 1
  store i32 %v4, ptr %to4, align 1
  %i4.next = add i64 %i4, 1
  br label %loop4

loop8:
  %i8 = phi i64 [ 0, %elements ], [ %i8.next, %body8 ]
  %more8 = icmp slt i64 %i8, %extent
  br i1 %more8, label %body8, label %done

body8:
  %from8.offset = mul i64 %i8, %from.step
  %to8.offset = mul i64 %i8, %to.step
  %from8 = getelementptr i8, ptr %from, i64 %from8.offset
  %to8 = getelementptr i8, ptr %to, i64 %to8.offset
  %v8 = load i64, ptr %from8, align 1
  store i64 %v8, ptr %to8, align 1
  %i8.next = add i64 %i8, 1
  br label %loop8

nest:
  %shape.inner = getelementptr i64, ptr %shape, i64 1
  %to.inner = getelementptr i64, ptr %to.strides, i64 1
  %from.inner = getelementptr i64, ptr %from.strides, i64 1
  br label %loop

loop:
  %i = phi i64 [ 0, %nest ], [ %i.next, %row ]
  %more = icmp slt i64 %i, %extent
  br i1 %more, label %row, label %done

row:
  %to.offset = mul i64 %i, %to.step
  %from.offset = mul i64 %i, %from.step
  %to.row = getelementptr i8, ptr %to, i64 %to.offset
  %from.row = getelementptr i8, ptr %from, i64 %from.offset
  call void @torchcc.copy(ptr %to.row, ptr %to.inner, ptr %from.row, ptr %from.inner, ptr %shape.inner, i64 %inner.rank, i64 %size)
  %i.next = add i64 %i, 1
  br label %loop

done:
  ret void
}

; Number of bytes of a checked tensor; -1 on overflow.
define internal i64 @torchcc.bytes(ptr %shape, i64 %rank, i64 %size) nounwind {
entry:
  br label %loop

loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %step ]
  %total = phi i64 [ %size, %entry ], [ %product, %step ]
  %over = phi i1 [ false, %entry ], [ %over.next, %step ]
  %none = phi i1 [ false, %entry ], [ %none.next, %step ]
  %more = icmp slt i64 %i, %rank
  br i1 %more, label %step, label %done

step:
  %at = getelementptr i64, ptr %shape, i64 %i
  %extent = load i64, ptr %at
  %multiplied = call { i64, i1 } @llvm.umul.with.overflow.i64(i64 %total, i64 %extent)
  %product = extractvalue { i64, i1 } %multiplied, 0
  %overflow = extractvalue { i64, i1 } %multiplied, 1
  %over.next = or i1 %over, %overflow
  %empty = icmp eq i64 %extent, 0
  %none.next = or i1 %none, %empty
  %i.next = add i64 %i, 1
  br label %loop

done:
  %negative = icmp slt i64 %total, 0
  %wrong = or i1 %over, %negative
  %some = select i1 %wrong, i64 -1, i64 %total
  %result = select i1 %none, i64 0, i64 %some
  ret i64 %result
}

; Checks one argument and returns its data, contiguous: its own memory, or a packed copy in the arena. Null after an error.
define ptr @torchcc.bind(ptr %tensor, ptr %check, ptr %dimensions, ptr %values) nounwind {
entry:
  %row.major = alloca [64 x i64]
  %checked = call i1 @torchcc.check(ptr %tensor, ptr %check)
  br i1 %checked, label %sizes, label %bad

sizes:
  %sized = call i1 @torchcc.check_dimensions(ptr %tensor, ptr %check, ptr %dimensions, ptr %values)
  br i1 %sized, label %place, label %bad

place:
  %shape.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 4
  %shape = load ptr, ptr %shape.at
  %ndim.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 2
  %ndim = load i32, ptr %ndim.at
  %rank = sext i32 %ndim to i64
  %bits.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 3, i32 1
  %bits = load i8, ptr %bits.at
  %bits.wide = zext i8 %bits to i64
  %size = lshr i64 %bits.wide, 3
  %bytes = call i64 @torchcc.bytes(ptr %shape, i64 %rank, i64 %size)
  %overflow = icmp slt i64 %bytes, 0
  br i1 %overflow, label %large, label %data

large:
  call void @torchcc.complain(ptr @torchcc.text_large, ptr %check)
  br label %bad

data:
  %base = load ptr, ptr %tensor
  %offset.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 6
  %offset = load i64, ptr %offset.at
  %start = getelementptr i8, ptr %base, i64 %offset
  %nothing = icmp eq i64 %bytes, 0
  br i1 %nothing, label %empty, label %some

empty:
  ; any address but null will do; it is never read
  ret ptr @torchcc.text_empty

some:
  %missing = icmp eq ptr %base, null
  br i1 %missing, label %null, label %layout

null:
  call void @torchcc.complain(ptr @torchcc.text_null_data, ptr %check)
  br label %bad

layout:
  call void @torchcc.row_major(ptr %shape, i64 %rank, ptr %row.major)
  %strides.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 5
  %strides = load ptr, ptr %strides.at
  %no.strides = icmp eq ptr %strides, null
  %address = ptrtoint ptr %start to i64
  %size.mask = sub i64 %size, 1
  %low = and i64 %address, %size.mask
  %aligned = icmp eq i64 %low, 0
  br i1 %no.strides, label %compact, label %loop

loop:
  %i = phi i64 [ 0, %layout ], [ %i.next, %stride ]
  %so.far = phi i1 [ true, %layout ], [ %still, %stride ]
  %more = icmp slt i64 %i, %rank
  br i1 %more, label %stride, label %compact

stride:
  %extent.at = getelementptr i64, ptr %shape, i64 %i
  %extent = load i64, ptr %extent.at
  %stride.at = getelementptr i64, ptr %strides, i64 %i
  %stride.given = load i64, ptr %stride.at
  %stride.plain.at = getelementptr i64, ptr %row.major, i64 %i
  %stride.plain = load i64, ptr %stride.plain.at
  %same = icmp eq i64 %stride.given, %stride.plain
  %single = icmp eq i64 %extent, 1
  %fine = or i1 %same, %single
  %still = and i1 %so.far, %fine
  %i.next = add i64 %i, 1
  br label %loop

compact:
  %contiguous = phi i1 [ true, %layout ], [ %so.far, %loop ]
  %from.strides = phi ptr [ %row.major, %layout ], [ %strides, %loop ]
  %direct = and i1 %contiguous, %aligned
  br i1 %direct, label %use, label %pack

use:
  ret ptr %start

pack:
  %packed = call ptr @torchcc.arena_reserve(i64 %bytes)
  %failed = icmp eq ptr %packed, null
  br i1 %failed, label %bad, label %fill

fill:
  call void @torchcc.copy(ptr %packed, ptr %row.major, ptr %start, ptr %from.strides, ptr %shape, i64 %rank, i64 %size)
  ret ptr %packed

bad:
  ret ptr null
}

; Copies a contiguous result into a tensor of the same shape, whatever its strides.
define internal void @torchcc.copy_out(ptr %tensor, ptr %data, ptr %shape, i64 %rank, i64 %size) nounwind {
entry:
  %row.major = alloca [64 x i64]
  %bytes = call i64 @torchcc.bytes(ptr %shape, i64 %rank, i64 %size)
  %nothing = icmp eq i64 %bytes, 0
  br i1 %nothing, label %done, label %copy

copy:
  call void @torchcc.row_major(ptr %shape, i64 %rank, ptr %row.major)
  %base = load ptr, ptr %tensor
  %offset.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 6
  %offset = load i64, ptr %offset.at
  %start = getelementptr i8, ptr %base, i64 %offset
  %strides.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 5
  %strides = load ptr, ptr %strides.at
  %no.strides = icmp eq ptr %strides, null
  %to.strides = select i1 %no.strides, ptr %row.major, ptr %strides
  call void @torchcc.copy(ptr %start, ptr %to.strides, ptr %data, ptr %row.major, ptr %shape, i64 %rank, i64 %size)
  br label %done

done:
  ret void
}

; Whether a result of that shape can be given through %out: NULL, a tensor without data, or one that matches.
define i1 @torchcc.check_output(ptr %out, ptr %check, ptr %shape) nounwind {
entry:
  %missing = icmp eq ptr %out, null
  br i1 %missing, label %good, label %look

look:
  %data = load ptr, ptr %out
  %free = icmp eq ptr %data, null
  br i1 %free, label %good, label %given

given:
  %matches = call i1 @torchcc.check(ptr %out, ptr %check)
  br i1 %matches, label %extents, label %bad

extents:
  %ndim.at = getelementptr %TensorCheck, ptr %check, i64 0, i32 4
  %ndim = load i32, ptr %ndim.at
  %rank = sext i32 %ndim to i64
  %shape.at = getelementptr %DLTensor, ptr %out, i64 0, i32 4
  %out.shape = load ptr, ptr %shape.at
  br label %loop

loop:
  %i = phi i64 [ 0, %extents ], [ %i.next, %next ]
  %more = icmp slt i64 %i, %rank
  br i1 %more, label %extent, label %good

extent:
  %wanted.at = getelementptr i64, ptr %shape, i64 %i
  %wanted = load i64, ptr %wanted.at
  %got.at = getelementptr i64, ptr %out.shape, i64 %i
  %got = load i64, ptr %got.at
  %equal = icmp eq i64 %wanted, %got
  br i1 %equal, label %next, label %differs

next:
  %i.next = add i64 %i, 1
  br label %loop

differs:
  %text = alloca [1024 x i8]
  %expected = alloca [256 x i8]
  %got.text = alloca [256 x i8]
  %role = load ptr, ptr %check
  %code.at = getelementptr %TensorCheck, ptr %check, i64 0, i32 2
  %code = load i8, ptr %code.at
  %bits.at = getelementptr %TensorCheck, ptr %check, i64 0, i32 3
  %bits = load i8, ptr %bits.at
  call void @torchcc.describe(i8 %code, i8 %bits, i32 %ndim, ptr %shape, ptr %expected)
  call void @torchcc.describe(i8 %code, i8 %bits, i32 %ndim, ptr %out.shape, ptr %got.text)
  %written = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 1024, ptr @torchcc.text_expected, ptr %role, ptr %expected, ptr %got.text)
  call void @torchcc.error(ptr %text)
  br label %bad

good:
  ret i1 true

bad:
  ret i1 false
}

; Gives a result that `check_output` found fit: the heap block itself, or a copy of it.
define i1 @torchcc.give_output(ptr %out, ptr %check, ptr %data, ptr %shape) nounwind {
entry:
  %code.check = getelementptr %TensorCheck, ptr %check, i64 0, i32 2
  %code = load i8, ptr %code.check
  %bits.check = getelementptr %TensorCheck, ptr %check, i64 0, i32 3
  %bits = load i8, ptr %bits.check
  %ndim.check = getelementptr %TensorCheck, ptr %check, i64 0, i32 4
  %ndim = load i32, ptr %ndim.check
  %rank = sext i32 %ndim to i64
  %bits.wide = zext i8 %bits to i64
  %size = lshr i64 %bits.wide, 3
  %missing = icmp eq ptr %out, null
  br i1 %missing, label %drop, label %look

look:
  %out.data = load ptr, ptr %out
  %free = icmp eq ptr %out.data, null
  br i1 %free, label %give, label %fill

fill:
  call void @torchcc.copy_out(ptr %out, ptr %data, ptr %shape, i64 %rank, i64 %size)
  br label %drop

drop:
  call void @torchcc.dealloc(ptr %data)
  ret i1 true

give:
  ; shape and strides in one piece
  %bytes = shl i64 %rank, 4
  %allocated = add i64 %bytes, 16
  %numbers = call ptr @malloc(i64 %allocated)
  %failed = icmp eq ptr %numbers, null
  br i1 %failed, label %no.memory, label %set

no.memory:
  call void @torchcc.out_of_memory(i64 %allocated)
  ret i1 false

set:
  %shape.bytes = shl i64 %rank, 3
  call void @llvm.memcpy.p0.p0.i64(ptr %numbers, ptr %shape, i64 %shape.bytes, i1 false)
  %strides = getelementptr i8, ptr %numbers, i64 %shape.bytes
  call void @torchcc.row_major(ptr %shape, i64 %rank, ptr %strides)
  call void @torchcc.detach(ptr %data)
  store ptr %data, ptr %out
  %device.at = getelementptr %DLTensor, ptr %out, i64 0, i32 1, i32 0
  store i32 1, ptr %device.at
  %device.id.at = getelementptr %DLTensor, ptr %out, i64 0, i32 1, i32 1
  store i32 0, ptr %device.id.at
  %ndim.at = getelementptr %DLTensor, ptr %out, i64 0, i32 2
  store i32 %ndim, ptr %ndim.at
  %code.at = getelementptr %DLTensor, ptr %out, i64 0, i32 3, i32 0
  store i8 %code, ptr %code.at
  %bits.at = getelementptr %DLTensor, ptr %out, i64 0, i32 3, i32 1
  store i8 %bits, ptr %bits.at
  %lanes.at = getelementptr %DLTensor, ptr %out, i64 0, i32 3, i32 2
  store i16 1, ptr %lanes.at
  %shape.at = getelementptr %DLTensor, ptr %out, i64 0, i32 4
  store ptr %numbers, ptr %shape.at
  %strides.at = getelementptr %DLTensor, ptr %out, i64 0, i32 5
  store ptr %strides, ptr %strides.at
  %offset.at = getelementptr %DLTensor, ptr %out, i64 0, i32 6
  store i64 0, ptr %offset.at
  ret i1 true
}

; Copies the new value of an argument that is written in place back into it; its shape was checked with `check_output`.
define void @torchcc.write_back(ptr %tensor, ptr %check, ptr %data, ptr %shape) nounwind {
  %bits.check = getelementptr %TensorCheck, ptr %check, i64 0, i32 3
  %bits = load i8, ptr %bits.check
  %ndim.check = getelementptr %TensorCheck, ptr %check, i64 0, i32 4
  %ndim = load i32, ptr %ndim.check
  %rank = sext i32 %ndim to i64
  %bits.wide = zext i8 %bits to i64
  %size = lshr i64 %bits.wide, 3
  call void @torchcc.copy_out(ptr %tensor, ptr %data, ptr %shape, i64 %rank, i64 %size)
  call void @torchcc.dealloc(ptr %data)
  ret void
}

; Gives back a tensor that a compiled function allocated.
define void @torchcc_free(ptr %tensor) nounwind {
entry:
  %missing = icmp eq ptr %tensor, null
  br i1 %missing, label %done, label %look

look:
  %data = load ptr, ptr %tensor
  %empty = icmp eq ptr %data, null
  br i1 %empty, label %done, label %drop

drop:
  call void @torchcc.free_detached(ptr %data)
  %shape.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 4
  %shape = load ptr, ptr %shape.at
  call void @free(ptr %shape)
  store ptr null, ptr %tensor
  store ptr null, ptr %shape.at
  %strides.at = getelementptr %DLTensor, ptr %tensor, i64 0, i32 5
  store ptr null, ptr %strides.at
  br label %done

done:
  ret void
}
