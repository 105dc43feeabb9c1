// What CUDA source needs to run on the host: CUDA's own names, and what runs the blocks of a grid one after the other.
//
// K_MEETS: some kernel has barriers, so every thread is a fiber: a barrier hands over to the next thread, and all of a
// block go on when the last has come. K_CHECKED: g++ calls a function before each access to memory (it does so for
// -fsanitize=thread, whose library is not used), which looks for accesses outside of a launch's arrays, misaligned
// ones, and races.

#define KCORE_EMULATED
#define __global__ __attribute__((noinline))
#define __device__
#define __restrict__ __restrict
#define __launch_bounds__(n)
#define __shared__ static __attribute__((section("k_shared")))
#define K_INF __builtin_inf()
#define K_NAN __builtin_nan("")
#define K_HOST static __attribute__((no_sanitize("thread")))

struct k_dim { unsigned x, y, z; };
static struct { k_dim block, thread, threads, blocks; } k_here;
#define blockIdx k_here.block
#define threadIdx k_here.thread
#define blockDim k_here.threads
#define gridDim k_here.blocks

extern "C" {
float expf(float); float expm1f(float); float logf(float); float log1pf(float); float sinf(float); float cosf(float);
float tanhf(float); float sqrtf(float); float floorf(float); float ceilf(float); float rintf(float);
float fabsf(float); float fmodf(float, float); float powf(float, float);
double exp(double); double expm1(double); double log(double); double log1p(double); double sin(double);
double cos(double); double tanh(double); double sqrt(double); double floor(double); double ceil(double);
double rint(double); double fabs(double); double fmod(double, double); double pow(double, double);
}
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
static inline double __longlong_as_double(long long bits) { double d; __builtin_memcpy(&d, &bits, 8); return d; }
static inline float k_from_half(unsigned short h) { _Float16 f; __builtin_memcpy(&f, &h, 2); return (float)f; }
static inline unsigned short k_to_half(float f) {
  _Float16 h = (_Float16)f;
  unsigned short b;
  __builtin_memcpy(&b, &h, 2);
  return b;
}

// -- what went wrong ---------------------------------------------------------------------------------------

#include <setjmp.h>

// Read by kcore_backends_cupy.emulation.compiler.
struct k_fault_t {
  int kind, size, write;
  k_dim block, thread;            // who
  unsigned other_block, other;    // of a race: who else, as numbers
  unsigned long long address;
};
enum { K_OUTSIDE = 1, K_MISALIGNED, K_RACE, K_RACE_IN_SHARED, K_DIVERGED };
extern "C" { k_fault_t k_fault; extern char __start_k_shared[] __attribute__((weak)), __stop_k_shared[] __attribute__((weak)); }
static jmp_buf k_exit;

K_HOST void k_fail(int kind, const void* address, int size, int write, unsigned other_block, unsigned other) {
  k_fault = {kind, size, write, k_here.block, k_here.thread, other_block, other, (unsigned long long)address};
  _longjmp(k_exit, 1);
}
extern "C" __attribute__((no_sanitize("thread"))) long k_shared_bytes() { return __stop_k_shared - __start_k_shared; }

// -- order -------------------------------------------------------------------------------------------------

// The n-th of some things in an order: 0 forward, 1 backward, others shuffled.
struct k_order_t { unsigned long long total, step, first; };

K_HOST k_order_t k_order(unsigned long long total, unsigned order) {
  if (order == 0 || total < 2) return {total, 1, 0};
  if (order == 1) return {total, total - 1, total - 1};
  unsigned long long step = order * 2654435761ull % total;
  for (;; ++step) {
    unsigned long long a = total, b = step;
    while (b) { unsigned long long c = a % b; a = b; b = c; }
    if (a == 1) return {total, step % total, order * 40503ull % total};
  }
}
K_HOST unsigned k_at(const k_order_t& o, unsigned long long n) {
  return (unsigned)(o.step == 1 && !o.first ? n : (n * o.step + o.first) % o.total);
}
K_HOST k_dim k_place(unsigned n, const k_dim& size) {
  return {n % size.x, n / size.x % size.y, n / size.x / size.y};
}
static k_order_t k_threads;
static int k_phase;  // barriers that the block has behind it
static const char* k_base;  // locals of a thread that is no fiber lie below

// -- threads that meet -------------------------------------------------------------------------------------

#ifdef K_MEETS
#include <ucontext.h>
#define __syncthreads() k_meet(__LINE__)
// A fiber starts by swapcontext and is left and resumed by longjmp, which makes no system call; it serves every block.
static const long k_stack = 65536;
static ucontext_t k_main_context, k_context[1024];
static jmp_buf k_main, k_fiber[1024];
static bool k_started[1024];
static int k_line[1024];  // of the barrier at which a thread waits; 0 at its end
static char* k_stacks;
static int k_now;
static void (*k_body)();
K_HOST void k_meet(int line) {
  k_line[k_now] = line;
  if (!_setjmp(k_fiber[k_now])) _longjmp(k_main, 1);
}
K_HOST void k_entry() { for (;;) { k_body(); k_meet(0); } }
K_HOST void __attribute__((noinline)) k_resume(int t) {
  k_now = t;
  k_here.thread = k_place(t, k_here.threads);
  if (_setjmp(k_main)) return;
  if (k_started[t]) _longjmp(k_fiber[t], 1);
  k_started[t] = true;
  if (!k_stacks) k_stacks = new char[1024 * k_stack];
  getcontext(&k_context[t]);
  k_context[t].uc_stack.ss_sp = k_stacks + t * k_stack; k_context[t].uc_stack.ss_size = k_stack;
  k_context[t].uc_link = 0;
  makecontext(&k_context[t], k_entry, 0);
  swapcontext(&k_main_context, &k_context[t]);
}
K_HOST void k_run_block(void (*body)()) {
  k_body = body;
  int threads = k_threads.total;
  for (k_phase = 0;; ++k_phase) {
    for (int n = 0; n < threads; ++n) k_resume(k_at(k_threads, n));
    for (int t = 1; t < threads; ++t)
      if (k_line[t] != k_line[0]) {
        k_here.thread = k_place(t, k_here.threads);
        k_fail(K_DIVERGED, 0, k_line[t], 0, k_line[0], 0);
      }
    if (!k_line[0]) return;
  }
}
K_HOST void k_forget_fibers() { for (bool& started : k_started) started = false; }
K_HOST bool k_local(const char* p) { return p >= k_stacks && p < k_stacks + 1024 * k_stack; }
#else
K_HOST void k_run_block(void (*body)()) {
  for (unsigned n = 0; n < k_threads.total; ++n) {
    k_here.thread = k_place(k_at(k_threads, n), k_here.threads);
    body();
  }
}
K_HOST void k_forget_fibers() {}
K_HOST bool k_local(const char* p) { return p >= (char*)__builtin_frame_address(0) && p < k_base; }
#endif

// -- every access, looked at -------------------------------------------------------------------------------

// First bytes and ends of what a launch may touch, in order.
static const unsigned long long* k_ranges;
static long k_range_count;

#ifdef K_CHECKED
#include <stdlib.h>
// Who last wrote an element, and who has read it since: all that a race can be told from.
struct k_mark {
  unsigned long long address;
  unsigned launch, w_block, w_thread, w_phase, r_block, r_thread, r_phase;
};
static const unsigned K_NOBODY = ~0u, K_SEVERAL = ~0u - 1;
static k_mark* k_marks;
static unsigned long k_room, k_used;
static unsigned k_launch;

K_HOST k_mark* k_find(unsigned long long address) {
  unsigned long i = (address * 0x9E3779B97F4A7C15ull >> 20) & (k_room - 1);
  while (k_marks[i].launch == k_launch && k_marks[i].address != address) i = (i + 1) & (k_room - 1);
  return k_marks + i;
}
K_HOST k_mark* k_mark_of(unsigned long long address) {
  if (2 * k_used >= k_room) {
    k_mark* old = k_marks;
    unsigned long room = k_room;
    k_room = room ? 4 * room : 1024;
    k_marks = (k_mark*)calloc(k_room, sizeof(k_mark));
    for (unsigned long i = 0; i < room; ++i) if (old[i].launch == k_launch) *k_find(old[i].address) = old[i];
    free(old);
  }
  k_mark* mark = k_find(address);
  if (mark->launch != k_launch) {
    ++k_used;
    *mark = {address, k_launch, K_NOBODY, K_NOBODY, 0, K_NOBODY, K_NOBODY, 0};
  }
  return mark;
}
K_HOST void k_access(const void* pointer, int size, int write) {
  const char* p = (const char*)pointer;
  if ((p >= (char*)&k_here && p < (char*)(&k_here + 1)) || k_local(p)) return;
  unsigned long long address = (unsigned long long)p;
  bool shared = p >= __start_k_shared && p < __stop_k_shared;
  if (!shared) {
    static long last;
    if (last >= k_range_count || address < k_ranges[2 * last] || address + size > k_ranges[2 * last + 1]) {
      long low = 0, high = k_range_count;  // the last that begins at the address or before it
      while (low < high) { long half = (low + high) / 2; if (k_ranges[2 * half] <= address) low = half + 1; else high = half; }
      if (!low || address + size > k_ranges[2 * low - 1]) k_fail(K_OUTSIDE, p, size, write, 0, 0);
      last = low - 1;
    }
  }
  if (address % size) k_fail(K_MISALIGNED, p, size, write, 0, 0);
  unsigned block = (k_here.block.z * k_here.blocks.y + k_here.block.y) * k_here.blocks.x + k_here.block.x;
  unsigned thread = (k_here.thread.z * k_here.threads.y + k_here.thread.y) * k_here.threads.x + k_here.thread.x;
  k_mark& m = *k_mark_of(address);
  if (shared && m.w_block != block && m.r_block != block) m.w_block = m.r_block = K_NOBODY;
  if (m.w_block != K_NOBODY && (m.w_block != block || (m.w_thread != thread && m.w_phase == (unsigned)k_phase)))
    k_fail(shared ? K_RACE_IN_SHARED : K_RACE, p, size, write, m.w_block, m.w_thread);
  if (!write) {
    if (m.r_block == K_NOBODY || (m.r_block == block && m.r_phase != (unsigned)k_phase)) m.r_block = block, m.r_thread = thread;
    else if (m.r_block != block) m.r_block = K_SEVERAL;
    else if (m.r_thread != thread) m.r_thread = K_SEVERAL;
    m.r_phase = k_phase;
    return;
  }
  if (m.r_block != K_NOBODY && (m.r_block != block || (m.r_thread != thread && m.r_phase == (unsigned)k_phase)))
    k_fail(shared ? K_RACE_IN_SHARED : K_RACE, p, size, write, m.r_block, m.r_thread);
  m.w_block = block; m.w_thread = thread; m.w_phase = k_phase;
}
#define K_ACCESS(size) \
  __attribute__((no_sanitize("thread"))) void __tsan_read##size(void* p) { k_access(p, size, 0); } \
  __attribute__((no_sanitize("thread"))) void __tsan_write##size(void* p) { k_access(p, size, 1); } \
  __attribute__((no_sanitize("thread"))) void __tsan_unaligned_read##size(void* p) { k_access(p, size, 0); } \
  __attribute__((no_sanitize("thread"))) void __tsan_unaligned_write##size(void* p) { k_access(p, size, 1); }
extern "C" {
K_ACCESS(1) K_ACCESS(2) K_ACCESS(4) K_ACCESS(8) K_ACCESS(16)
// Of structures: by as much as a GPU accesses at once.
K_HOST void k_access_range(const char* p, unsigned long n, int write) {
  for (unsigned long at = 0; at < n; at += n < 16 ? n : 16) k_access(p + at, n < 16 ? n : 16, write);
}
__attribute__((no_sanitize("thread"))) void __tsan_read_range(void* p, unsigned long n) { k_access_range((char*)p, n, 0); }
__attribute__((no_sanitize("thread"))) void __tsan_write_range(void* p, unsigned long n) { k_access_range((char*)p, n, 1); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
}
K_HOST void k_begin_checks() {
  if (k_room > 1 << 18) { free(k_marks); k_marks = 0; k_room = 0; }
  ++k_launch;
  k_used = 0;
}
#else
K_HOST void k_begin_checks() {}
#endif

// -- a launch ----------------------------------------------------------------------------------------------

// False after an access that must not be; `k_fault` tells.
K_HOST bool __attribute__((noinline)) k_run_grid(const unsigned* grid, const unsigned* block, unsigned order, void (*body)()) {
  k_here.blocks = {grid[0], grid[1], grid[2]};
  k_here.threads = {block[0], block[1], block[2]};
  k_threads = k_order((unsigned long long)block[0] * block[1] * block[2], order);
  k_order_t blocks = k_order((unsigned long long)grid[0] * grid[1] * grid[2], order);
  k_phase = 0;
  k_base = (char*)__builtin_frame_address(0);
  k_begin_checks();
  if (_setjmp(k_exit)) { k_forget_fibers(); return false; }
  for (unsigned long long n = 0; n < blocks.total; ++n) {
    k_here.block = k_place(k_at(blocks, n), k_here.blocks);
    if (__start_k_shared) __builtin_memset(__start_k_shared, 0xFF, __stop_k_shared - __start_k_shared);
    k_run_block(body);
  }
  return true;
}
