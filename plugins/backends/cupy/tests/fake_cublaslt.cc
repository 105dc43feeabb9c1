// The part of cuBLASLt that kcore calls, on the host: it computes products as the library documents them, and refuses
// what the library would refuse. With -DHEADER the compiler compares it with NVIDIA's declarations.

#ifdef HEADER
#include <cublasLt.h>
#else
#include <stddef.h>
#include <stdint.h>
typedef int cublasStatus_t, cublasComputeType_t, cudaDataType;
typedef int cublasLtMatmulDescAttributes_t, cublasLtMatrixLayoutAttribute_t, cublasLtMatmulPreferenceAttributes_t;
typedef struct { uint64_t data[8]; } cublasLtMatmulAlgo_t;
typedef struct { uint64_t data[14]; } cublasLtMatrixLayoutOpaque_t;
typedef struct { uint64_t data[32]; } cublasLtMatmulDescOpaque_t;
typedef struct { uint64_t data[12]; } cublasLtMatmulPreferenceOpaque_t;
typedef cublasLtMatrixLayoutOpaque_t* cublasLtMatrixLayout_t;
typedef cublasLtMatmulDescOpaque_t* cublasLtMatmulDesc_t;
typedef cublasLtMatmulPreferenceOpaque_t* cublasLtMatmulPreference_t;
typedef struct cublasLtContext* cublasLtHandle_t;
typedef struct CUstream_st* cudaStream_t;
typedef struct {
  cublasLtMatmulAlgo_t algo;
  size_t workspaceSize;
  cublasStatus_t state;
  float wavesCount;
  int reserved[4];
} cublasLtMatmulHeuristicResult_t;
#endif
#include <stdio.h>
#include <string.h>

namespace {

const cublasStatus_t OK = (cublasStatus_t)0, REFUSED = (cublasStatus_t)7, UNSUPPORTED = (cublasStatus_t)15;
const size_t WORKSPACE = 4096;
const uint64_t MAGIC = 0x6b636f7265ull;
enum { R32, R64, R16 };

struct Layout { uint64_t rows, cols; int64_t ld, distance; int type, count; };
struct Desc { int compute, scale, turned[2]; };
struct Preference { uint64_t workspace; uint32_t alignment[4]; };

int alive = 0, matmuls = 0, unwilling = 0, last_compute = 0;
char handle;

double read(const void* p, int64_t i, int type) {
  if (type == R16) return (double)((const _Float16*)p)[i];
  return type == R64 ? ((const double*)p)[i] : ((const float*)p)[i];
}

void write(void* p, int64_t i, int type, double v) {
  if (type == R16) ((_Float16*)p)[i] = (_Float16)v;
  else if (type == R64) ((double*)p)[i] = v;
  else ((float*)p)[i] = (float)v;
}

template <typename Opaque, typename T> cublasStatus_t make(Opaque** out, const T& value) {
  static_assert(sizeof(T) <= sizeof(Opaque), "too small");
  char* memory = new char[sizeof(Opaque)]();
  memcpy(memory, &value, sizeof(T));
  *out = (Opaque*)memory;
  ++alive;
  return OK;
}

cublasStatus_t destroy(void* p) { delete[] (char*)p; --alive; return OK; }

template <typename T> cublasStatus_t set(T* target, const void* from, size_t size) {
  if (!from || size != sizeof(T)) return REFUSED;
  memcpy(target, from, size);
  return OK;
}

bool fit(const Desc& d, const Layout& a, const Layout& b, const Layout& c) {
  uint64_t m = d.turned[0] ? a.cols : a.rows, k = d.turned[0] ? a.rows : a.cols;
  uint64_t n = d.turned[1] ? b.rows : b.cols, other = d.turned[1] ? b.cols : b.rows;
  bool scales = c.type == R64 ? d.compute == 70 && d.scale == R64 : (d.compute == 68 || d.compute == 77) && d.scale == R32;
  return scales && a.type == c.type && b.type == c.type && k == other && c.rows == m && c.cols == n &&
         a.count == c.count && b.count == c.count;
}

bool aligned(const void* p, uint32_t bytes) { return (uintptr_t)p % bytes == 0; }

}  // namespace

extern "C" {

int fake_alive() { return alive; }
int fake_matmuls() { return matmuls; }
int fake_compute() { return last_compute; }
void fake_unwilling(int yes) { unwilling = yes; }

cublasStatus_t cublasLtCreate(cublasLtHandle_t* out) { *out = (cublasLtHandle_t)&handle; return OK; }
const char* cublasLtGetStatusString(cublasStatus_t) { return "the fake refuses"; }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* out, cublasComputeType_t compute, cudaDataType scale) {
  return make(out, Desc{(int)compute, (int)scale, {0, 0}});
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t attr,
                                              const void* from, size_t size) {
  return attr == 3 || attr == 4 ? set(&((Desc*)d)->turned[(int)attr - 3], from, size) : REFUSED;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d) { return destroy(d); }

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* out, cudaDataType type, uint64_t rows, uint64_t cols,
                                          int64_t ld) {
  if (ld < (int64_t)rows) return REFUSED;
  return make(out, Layout{rows, cols, ld, 0, (int)type, 1});
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t l, cublasLtMatrixLayoutAttribute_t attr,
                                                const void* from, size_t size) {
  if (attr == 5) return set(&((Layout*)l)->count, from, size);
  return attr == 6 ? set(&((Layout*)l)->distance, from, size) : REFUSED;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l) { return destroy(l); }

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* out) {
  return make(out, Preference{0, {256, 256, 256, 256}});
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
                                                    cublasLtMatmulPreferenceAttributes_t attr, const void* from,
                                                    size_t size) {
  if (attr == 1) return set(&((Preference*)p)->workspace, from, size);
  return attr >= 5 && attr <= 8 ? set(&((Preference*)p)->alignment[(int)attr - 5], from, size) : REFUSED;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p) { return destroy(p); }

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t h, cublasLtMatmulDesc_t d, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                              cublasLtMatrixLayout_t out, cublasLtMatmulPreference_t p, int asked,
                                              cublasLtMatmulHeuristicResult_t* results, int* found) {
  const Preference& wish = *(Preference*)p;
  *found = 0;
  if (h != (cublasLtHandle_t)&handle || asked < 1 || c != out) return REFUSED;
  if (!fit(*(Desc*)d, *(Layout*)a, *(Layout*)b, *(Layout*)c)) return REFUSED;
  if (unwilling || wish.workspace < WORKSPACE) return UNSUPPORTED;
  memset(results, 0, sizeof(*results));
  results->algo.data[0] = MAGIC;
  results->algo.data[1] = wish.alignment[0] | (uint64_t)wish.alignment[1] << 32;
  results->algo.data[2] = wish.alignment[3];
  results->workspaceSize = WORKSPACE;
  *found = 1;
  return OK;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t h, cublasLtMatmulDesc_t desc, const void* alpha, const void* pa,
                              cublasLtMatrixLayout_t la, const void* pb, cublasLtMatrixLayout_t lb, const void* beta,
                              const void* pc, cublasLtMatrixLayout_t lc, void* pd, cublasLtMatrixLayout_t ld,
                              const cublasLtMatmulAlgo_t* algo, void* workspace, size_t size, cudaStream_t) {
  const Desc& d = *(Desc*)desc;
  const Layout &a = *(Layout*)la, &b = *(Layout*)lb, &c = *(Layout*)ld;
  if (h != (cublasLtHandle_t)&handle || !fit(d, a, b, c) || pc != pd || lc != ld) return REFUSED;
  if (algo->data[0] != MAGIC || size < WORKSPACE || !aligned(workspace, 256)) return REFUSED;
  if (!aligned(pa, (uint32_t)algo->data[1]) || !aligned(pb, algo->data[1] >> 32) || !aligned(pd, algo->data[2])) return REFUSED;
  memset(workspace, 0x5a, size);
  double scale = read(alpha, 0, d.scale), old = read(beta, 0, d.scale);
  uint64_t inner = d.turned[0] ? a.rows : a.cols;
  for (int batch = 0; batch < c.count; ++batch)
    for (uint64_t j = 0; j < c.cols; ++j)
      for (uint64_t i = 0; i < c.rows; ++i) {
        double sum = 0;
        for (uint64_t k = 0; k < inner; ++k)
          sum += read(pa, batch * a.distance + (d.turned[0] ? k + i * a.ld : i + k * a.ld), a.type) *
                 read(pb, batch * b.distance + (d.turned[1] ? j + k * b.ld : k + j * b.ld), b.type);
        int64_t at = batch * c.distance + i + j * c.ld;
        write(pd, at, c.type, old ? scale * sum + old * read(pd, at, c.type) : scale * sum);
      }
  ++matmuls;
  last_compute = d.compute;
  return OK;
}

}  // extern "C"
