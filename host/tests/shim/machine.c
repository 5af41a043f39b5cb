/* Another machine than this one: preloaded, it has till see other processors and another time.
 *
 *   MACHINE_SHIM_CORES    how many processors the process may use
 *   MACHINE_SHIM_CLOCK_S  by how many seconds the wall clock is ahead
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int sched_getaffinity(pid_t process, size_t bytes, cpu_set_t *processors) {
    static int (*real)(pid_t, size_t, cpu_set_t *);
    const char *cores = getenv("MACHINE_SHIM_CORES");
    if (!cores) {
        if (!real) real = dlsym(RTLD_NEXT, "sched_getaffinity");
        return real(process, bytes, processors);
    }
    memset(processors, 0, bytes);
    for (int core = 0; core < atoi(cores); core++) CPU_SET_S(core, bytes, processors);
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    static long ahead_s = -1;
    if (!real) {
        const char *ahead = getenv("MACHINE_SHIM_CLOCK_S");
        ahead_s = ahead ? atol(ahead) : 0;
        real = dlsym(RTLD_NEXT, "clock_gettime");
    }
    int failed = real(clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += ahead_s;
    return failed;
}
