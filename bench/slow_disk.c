/* A disk that takes longer: every fsync and fdatasync sleeps before it is done.
   Loaded with LD_PRELOAD by slow_disk.py; the product knows nothing of it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_first(void) {
    const char *text = getenv("BENCH_FSYNC_MS");
    long milliseconds = text ? atol(text) : 0;
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static int after_a_while(const char *name, int descriptor) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    wait_first();
    return real(descriptor);
}

int fsync(int descriptor) { return after_a_while("fsync", descriptor); }

int fdatasync(int descriptor) { return after_a_while("fdatasync", descriptor); }
