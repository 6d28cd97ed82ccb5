/* Classifies the held-out digits with the compiled network: no Python, no PyTorch, only this file and libdigits.

     torchcc compile examples/digits/digits.py:DigitsNet --weights examples/digits/digits.safetensors \
         --input "images=f32[batch,1,8,8]" -o libdigits.so
     cc -O2 -I. examples/digits/classify.c -L. -ldigits -Wl,-rpath,'$ORIGIN' -o classify
     ./classify examples/digits/test_images.npy examples/digits/test_labels.npy
*/

#include "digits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The data of a .npy file of version 1 and C order; *count is the extent of its first dimension. */
static void *read_npy(const char *path, const char *type, int64_t *count) {
    FILE *file = fopen(path, "rb");
    unsigned char head[10];
    if (!file || fread(head, 1, 10, file) != 10 || memcmp(head, "\x93NUMPY\x01", 7) != 0) {
        fprintf(stderr, "%s: no .npy file\n", path);
        exit(1);
    }
    size_t length = head[8] | (size_t)head[9] << 8;
    char *header = calloc(length + 1, 1);
    if (fread(header, 1, length, file) != length || !strstr(header, type) || !strstr(header, "'shape': (")) {
        fprintf(stderr, "%s: expected elements of type %s\n", path, type);
        exit(1);
    }
    *count = strtoll(strstr(header, "'shape': (") + 10, NULL, 10);
    free(header);
    long start = ftell(file);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)(ftell(file) - start);
    fseek(file, start, SEEK_SET);
    void *data = malloc(size);
    if (!data || fread(data, 1, size, file) != size) {
        fprintf(stderr, "%s: cut short\n", path);
        exit(1);
    }
    fclose(file);
    return data;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s images.npy labels.npy\n", argv[0]);
        return 2;
    }
    int64_t count, labelled;
    float *pixels = read_npy(argv[1], "<f4", &count);
    int64_t *labels = read_npy(argv[2], "<i8", &labelled);

    int64_t shape[4] = {count, 1, 8, 8};
    DLTensor images = {.data = pixels, .device = {1, 0}, .ndim = 4, .dtype = {2, 32, 1}, .shape = shape};
    DLTensor scores = {.data = NULL};
    if (digits_net(&images, &scores) != 0) {
        fprintf(stderr, "error: %s\n", torchcc_last_error());
        return 1;
    }

    int64_t classes = scores.shape[1], right = 0;
    const float *row = scores.data;
    for (int64_t i = 0; i < count; i++, row += classes) {
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++)
            if (row[c] > row[best])
                best = c;
        right += best == labels[i];
    }
    printf("accuracy %.4f (%lld of %lld)\n", (double)right / (double)count, (long long)right, (long long)count);
    torchcc_free(&scores);
    free(pixels);
    free(labels);
    return 0;
}
