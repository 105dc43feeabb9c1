"""What all generated CUDA source begins with: numbers, functions on them, and the random generator.

It includes no header, so that it compiles with NVRTC alone, and with g++ where `kcore_backends_cupy.emulation`
defines what CUDA has built in. Half precision is stored in two bytes and computed in float, by one instruction each.
"""

from __future__ import annotations

#: dtype -> (type in memory, type in registers)
C_TYPES = {
    "bool": ("bool", "bool"),
    "int8": ("signed char", "signed char"),
    "int16": ("short", "short"),
    "int32": ("int", "int"),
    "int64": ("long long", "long long"),
    "uint8": ("unsigned char", "unsigned char"),
    "uint16": ("unsigned short", "unsigned short"),
    "uint32": ("unsigned int", "unsigned int"),
    "uint64": ("unsigned long long", "unsigned long long"),
    "float16": ("half_t", "float"),
    "float32": ("float", "float"),
    "float64": ("double", "double"),
}

PRELUDE = r"""
typedef long long i64;
typedef unsigned long long u64;
typedef unsigned int u32;
struct half_t { unsigned short bits; };

#ifndef KCORE_EMULATED
#define K_INF __longlong_as_double(0x7ff0000000000000LL)
#define K_NAN __longlong_as_double(0x7ff8000000000000LL)
__device__ inline float k_from_half(unsigned short h) {
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
  return f;
}
__device__ inline unsigned short k_to_half(float f) {
  unsigned short h;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f));
  return h;
}
#endif

template <typename T> __device__ inline T k_load(const T* p, i64 i) { return p[i]; }
__device__ inline float k_load(const half_t* p, i64 i) { return k_from_half(p[i].bits); }
template <typename T, typename V> __device__ inline void k_store(T* p, i64 i, V v) { p[i] = (T)v; }
template <typename V> __device__ inline void k_store(half_t* p, i64 i, V v) { p[i].bits = k_to_half((float)v); }

// Four neighbours, read and written at once.
template <typename T> struct alignas(sizeof(T) * 4 < 16 ? sizeof(T) * 4 : 16) k_four { T v[4]; };
template <typename T> __device__ inline k_four<T> k_load4(const T* p, i64 i) { return *(const k_four<T>*)(p + i); }
template <typename T> __device__ inline void k_store4(T* p, i64 i, const k_four<T>& x) { *(k_four<T>*)(p + i) = x; }

__device__ inline float k_half(float x) { return k_from_half(k_to_half(x)); }

#define K_FLOAT_FUNCTION(name, single, twice) \
  __device__ inline float name(float x) { return single(x); } \
  __device__ inline double name(double x) { return twice(x); }
K_FLOAT_FUNCTION(k_exp, expf, exp)
K_FLOAT_FUNCTION(k_expm1, expm1f, expm1)
K_FLOAT_FUNCTION(k_log, logf, log)
K_FLOAT_FUNCTION(k_log1p, log1pf, log1p)
K_FLOAT_FUNCTION(k_sin, sinf, sin)
K_FLOAT_FUNCTION(k_cos, cosf, cos)
K_FLOAT_FUNCTION(k_tanh, tanhf, tanh)
K_FLOAT_FUNCTION(k_sqrt, sqrtf, sqrt)
K_FLOAT_FUNCTION(k_floor, floorf, floor)
K_FLOAT_FUNCTION(k_ceil, ceilf, ceil)
K_FLOAT_FUNCTION(k_rint, rintf, rint)
K_FLOAT_FUNCTION(k_fabs, fabsf, fabs)
__device__ inline float k_fmod(float a, float b) { return fmodf(a, b); }
__device__ inline double k_fmod(double a, double b) { return fmod(a, b); }
__device__ inline float k_pow(float a, float b) { return powf(a, b); }
__device__ inline double k_pow(double a, double b) { return pow(a, b); }

// Products of matrices do contract: with one rounding for a product and its sum they are twice as fast.
#ifdef KCORE_EMULATED
template <typename T> inline T k_fma(T a, T b, T c) { return a * b + c; }
#else
template <typename T> __device__ inline T k_fma(T a, T b, T c) { return a * b + c; }
__device__ inline float k_fma(float a, float b, float c) { return fmaf(a, b, c); }
__device__ inline double k_fma(double a, double b, double c) { return fma(a, b, c); }
#endif

// Not a number wins, as in NumPy's maximum and minimum.
template <typename T> __device__ inline T k_max(T a, T b) { return a > b || a != a ? a : b; }
template <typename T> __device__ inline T k_min(T a, T b) { return a < b || a != a ? a : b; }
template <typename T> __device__ inline T k_sign(T x) { return x != x ? x : (T)((x > (T)0) - (x < (T)0)); }
template <typename T> __device__ inline T k_abs(T x) { return x < (T)0 ? (T)-x : x; }
__device__ inline float k_abs(float x) { return fabsf(x); }
__device__ inline double k_abs(double x) { return fabs(x); }

// Quotients rounded down, and remainders with the sign of the divisor.
template <typename T> __device__ inline T k_int_div(T a, T b) {
  if (b == (T)0) return (T)0;
  if (b == (T)-1) return (T)(0 - (u64)a);
  T q = a / b;
  return (a % b != 0 && ((a < (T)0) != (b < (T)0))) ? (T)(q - 1) : q;
}
template <typename T> __device__ inline T k_int_mod(T a, T b) {
  if (b == (T)0 || b == (T)-1) return (T)(b == (T)0 ? 0 : ((T)-1 < (T)0 ? 0 : a % b));
  T r = a % b;
  return (r != 0 && ((r < (T)0) != (b < (T)0))) ? (T)(r + b) : r;
}
template <typename T> __device__ inline T k_float_mod(T a, T b) {
  T r = k_fmod(a, b);
  if (r != (T)0) return (r < (T)0) != (b < (T)0) ? r + b : r;
  return b < (T)0 ? -k_fabs(r) : k_fabs(r);
}
template <typename T> __device__ inline T k_float_div(T a, T b) {
  if (b == (T)0) return a / b;
  T r = k_fmod(a, b);
  T q = (a - r) / b;
  if (r != (T)0 && ((r < (T)0) != (b < (T)0))) q -= (T)1;
  if (q == (T)0) return (a < (T)0) != (b < (T)0) ? -(T)0 : (T)0;
  T whole = k_floor(q);
  return q - whole > (T)0.5 ? whole + (T)1 : whole;
}
template <typename T> __device__ inline T k_int_pow(T a, T b) {
  T result = 1;
  if (b < (T)0) return a == (T)1 ? (T)1 : a == (T)-1 ? ((b & 1) ? a : (T)1) : (T)0;
  while (b > (T)0) { if (b & 1) result = (T)(result * a); a = (T)(a * a); b = (T)(b >> 1); }
  return result;
}

// Philox 4x64-10 (Salmon et al. 2011), as numpy.random.Philox: block n of a stream has the counter n + 1.
__device__ inline void k_philox(u64 seed, u64 block, u64* out) {
  u64 c0 = block + 1, c1 = 0, c2 = 0, c3 = 0, k0 = seed, k1 = 0;
  for (int round = 0; round < 10; ++round) {
    u64 hi0 = __umul64hi(0xD2E7470EE14C6C93ULL, c0), lo0 = 0xD2E7470EE14C6C93ULL * c0;
    u64 hi1 = __umul64hi(0xCA5A826395121157ULL, c2), lo1 = 0xCA5A826395121157ULL * c2;
    c0 = hi1 ^ c1 ^ k0; c1 = lo1; c2 = hi0 ^ c3 ^ k1; c3 = lo0;
    k0 += 0x9E3779B97F4A7C15ULL; k1 += 0xBB67AE8584CAA73BULL;
  }
  out[0] = c0; out[1] = c1; out[2] = c2; out[3] = c3;
}
"""
