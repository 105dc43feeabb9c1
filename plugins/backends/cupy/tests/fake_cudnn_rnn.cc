// The part of cuDNN that kcore calls for recurrent layers, on the host: it computes them by the formulas of cuDNN's
// documentation, from addresses and descriptors alone, and refuses what cuDNN would refuse. Where cuDNN leaves
// something open it is unlike cuDNN: weights lie in another order, with gaps; the reserve space is used up by a
// backward pass. With -DHEADER the compiler compares it with NVIDIA's declarations.

#ifdef HEADER
#include <cudnn.h>
#else
#include <stddef.h>
#include <stdint.h>
#define CUDNNWINAPI
typedef int cudnnStatus_t, cudnnDataType_t, cudnnMathType_t, cudnnRNNAlgo_t, cudnnRNNMode_t, cudnnRNNBiasMode_t;
typedef int cudnnDirectionMode_t, cudnnRNNInputMode_t, cudnnRNNDataLayout_t, cudnnForwardMode_t, cudnnWgradMode_t;
typedef struct cudnnContext* cudnnHandle_t;
typedef struct CUstream_st* cudaStream_t;
typedef struct cudnnTensorStruct* cudnnTensorDescriptor_t;
typedef struct cudnnDropoutStruct* cudnnDropoutDescriptor_t;
typedef struct cudnnRNNStruct* cudnnRNNDescriptor_t;
typedef struct cudnnRNNDataStruct* cudnnRNNDataDescriptor_t;
#endif
#include <math.h>
#include <string.h>

#include <vector>

namespace {

const cudnnStatus_t OK = (cudnnStatus_t)0, BAD = (cudnnStatus_t)2000, UNSUPPORTED = (cudnnStatus_t)3000;
enum { FLOAT, DOUBLE, HALF };
enum { TANH = 1, LSTM = 2, GRU = 3 };
enum { FILLED = 0x6b63, SPENT = 0x6f72 };  // the state of a reserve space

struct Tensor { int type, rank, dim[3], stride[3]; };
struct Dropout { float rate; };
struct Rnn { int mode, type, precision, math, features, units; };
struct Data { int type, steps, batch, vector; };

int alive = 0, calls[3] = {0, 0, 0}, last_math = -1, last_training = -1;
cudnnStatus_t refusal = OK;
cudaStream_t last_stream;
char handle;

double read(const void* p, int64_t i, int type) {
  if (type == HALF) return (double)((const _Float16*)p)[i];
  return type == DOUBLE ? ((const double*)p)[i] : ((const float*)p)[i];
}

void write(void* p, int64_t i, int type, double v) {
  if (type == HALF) ((_Float16*)p)[i] = (_Float16)v;
  else if (type == DOUBLE) ((double*)p)[i] = v;
  else ((float*)p)[i] = (float)v;
}

int64_t bytes_of(int type) { return type == HALF ? 2 : type == DOUBLE ? 8 : 4; }
double sigmoid(double z) { return 1 / (1 + exp(-z)); }

template <typename Fake, typename Opaque> cudnnStatus_t make(Opaque* out) {
  *out = (Opaque) new Fake();
  ++alive;
  return OK;
}

template <typename Fake> cudnnStatus_t destroy(void* p) {
  delete (Fake*)p;
  --alive;
  return OK;
}

int gates(const Rnn& r) { return r.mode == LSTM ? 4 : r.mode == GRU ? 3 : 1; }

// The last linear layer comes first; three elements are left free before each matrix, two before each bias.
int64_t place(const Rnn& r, int id, bool bias) {
  int64_t at = 0;
  for (int k = 2 * gates(r) - 1; k >= 0; --k) {
    int64_t matrix = at + 3, size = (int64_t)r.units * (k < gates(r) ? r.features : r.units);
    if (k == id) return bias ? matrix + size + 2 : matrix;
    at = matrix + size + 2 + r.units;
  }
  return at;
}

size_t weight_bytes(const Rnn& r) { return (size_t)(place(r, -1, false) * bytes_of(r.type)); }
size_t work_bytes(const Data& x, int training) { return (size_t)(100 + 8 * x.batch + 1000 * training); }
int64_t kept(const Rnn& r) { return 2 * gates(r) + 2; }
size_t reserve_bytes(const Rnn& r, const Data& x) { return (size_t)(16 + 8 * kept(r) * x.steps * x.batch * r.units + 3); }

// One call: the operands of all three, and the reserve space as numbers.
struct Pass {
  const Rnn& r;
  const Data& data;
  const void* weights;
  char* reserve;
  int g = gates(r), f = r.features, u = r.units, b = data.batch, steps = data.steps;

  double w(int id, int j, int k) const {
    return read(weights, place(r, id, false) + (int64_t)j * (id < g ? f : u) + k, r.type);
  }
  double bias(int id, int j) const { return read(weights, place(r, id, true) + j, r.type); }
  int64_t x_at(int t, int n, int k) const { return ((int64_t)t * b + n) * f + k; }
  int64_t y_at(int t, int n, int j) const { return ((int64_t)t * b + n) * u + j; }
  double before(const void* y, const void* first, int t, int n, int j) const {
    return t ? read(y, y_at(t - 1, n, j), r.type) : first ? read(first, (int64_t)n * u + j, r.type) : 0;
  }
  // Number `which` of the reserve for a unit at a step: gates, their parts from the state, cell before and after.
  double get(int t, int n, int j, int which) const {
    double v;
    memcpy(&v, reserve + 16 + 8 * (y_at(t, n, j) * kept(r) + which), 8);
    return v;
  }
  void put(int t, int n, int j, int which, double v) const {
    if (reserve) memcpy(reserve + 16 + 8 * (y_at(t, n, j) * kept(r) + which), &v, 8);
  }
  bool state(int wanted) const {
    int found;
    memcpy(&found, reserve, 4);
    return found == wanted;
  }
  void mark(int as) const { if (reserve) memcpy(reserve, &as, 4); }
};

void forward(const Pass& p, const void* x, void* y, const void* hx, void* hy, const void* cx, void* cy) {
  std::vector<double> cell((size_t)p.b * p.u), next;
  for (size_t i = 0; i < cell.size(); ++i) cell[i] = cx ? read(cx, i, p.r.type) : 0;
  for (int t = 0; t < p.steps; ++t) {
    next = cell;
    for (int n = 0; n < p.b; ++n)
      for (int j = 0; j < p.u; ++j) {
        double in[4], rec[4];
        for (int g = 0; g < p.g; ++g) {
          in[g] = p.bias(g, j);
          rec[g] = p.bias(p.g + g, j);
          for (int k = 0; k < p.f; ++k) in[g] += p.w(g, j, k) * read(x, p.x_at(t, n, k), p.r.type);
          for (int k = 0; k < p.u; ++k) rec[g] += p.w(p.g + g, j, k) * p.before(y, hx, t, n, k);
        }
        double h, gate[4], old = cell[n * p.u + j], now = 0;
        if (p.r.mode == LSTM) {  // linear layers: input, forget, new memory, output
          for (int g = 0; g < 4; ++g) gate[g] = g == 2 ? tanh(in[g] + rec[g]) : sigmoid(in[g] + rec[g]);
          now = gate[1] * old + gate[0] * gate[2];
          h = gate[3] * tanh(now);
        } else if (p.r.mode == GRU) {  // reset, update, new memory
          gate[0] = sigmoid(in[0] + rec[0]);
          gate[1] = sigmoid(in[1] + rec[1]);
          gate[2] = tanh(in[2] + gate[0] * rec[2]);
          h = (1 - gate[1]) * gate[2] + gate[1] * p.before(y, hx, t, n, j);
        } else {
          h = gate[0] = tanh(in[0] + rec[0]);
        }
        next[n * p.u + j] = now;
        for (int g = 0; g < p.g; ++g) {
          p.put(t, n, j, g, gate[g]);
          p.put(t, n, j, p.g + g, rec[g]);
        }
        p.put(t, n, j, 2 * p.g, old);
        p.put(t, n, j, 2 * p.g + 1, now);
        write(y, p.y_at(t, n, j), p.r.type, h);
        if (hy && t == p.steps - 1) write(hy, (int64_t)n * p.u + j, p.r.type, h);
      }
    cell = next;
  }
  for (size_t i = 0; cy && i < cell.size(); ++i) write(cy, i, p.r.type, cell[i]);
  p.mark(FILLED);
}

void backward(const Pass& p, const void* y, const void* dy, void* dx, const void* hx, const void* dhy, void* dhx,
              const void* dcy, void* dcx) {
  size_t count = (size_t)p.b * p.u;
  std::vector<double> dh(count), dc(count), next;
  for (size_t i = 0; i < count; ++i) {
    dh[i] = dhy ? read(dhy, i, p.r.type) : 0;
    dc[i] = dcy ? read(dcy, i, p.r.type) : 0;
  }
  for (int t = p.steps - 1; t >= 0; --t) {
    next.assign(count, 0);
    for (int n = 0; n < p.b; ++n)
      for (int j = 0; j < p.u; ++j) {
        double gate[4], in[4], rec[4], d = dh[n * p.u + j] + read(dy, p.y_at(t, n, j), p.r.type);
        for (int g = 0; g < p.g; ++g) gate[g] = p.get(t, n, j, g);
        if (p.r.mode == LSTM) {
          double old = p.get(t, n, j, 8), s = tanh(p.get(t, n, j, 9));
          double e = dc[n * p.u + j] + d * gate[3] * (1 - s * s);
          double by_gate[4] = {e * gate[2], e * old, e * gate[0], d * s};
          for (int g = 0; g < 4; ++g)
            in[g] = rec[g] = by_gate[g] * (g == 2 ? 1 - gate[g] * gate[g] : gate[g] * (1 - gate[g]));
          dc[n * p.u + j] = e * gate[1];
        } else if (p.r.mode == GRU) {
          double a = d * (1 - gate[1]) * (1 - gate[2] * gate[2]), h = p.before(y, hx, t, n, j);
          in[2] = a;
          rec[2] = a * gate[0];
          in[0] = rec[0] = a * p.get(t, n, j, 5) * gate[0] * (1 - gate[0]);
          in[1] = rec[1] = d * (h - gate[2]) * gate[1] * (1 - gate[1]);
          next[n * p.u + j] += d * gate[1];
        } else {
          in[0] = rec[0] = d * (1 - gate[0] * gate[0]);
        }
        for (int g = 0; g < p.g; ++g) {  // what the gates were is lost here
          p.put(t, n, j, g, in[g]);
          p.put(t, n, j, p.g + g, rec[g]);
        }
      }
    for (int n = 0; n < p.b; ++n) {
      for (int k = 0; k < p.f; ++k) {
        double sum = 0;
        for (int g = 0; g < p.g; ++g)
          for (int j = 0; j < p.u; ++j) sum += p.w(g, j, k) * p.get(t, n, j, g);
        write(dx, p.x_at(t, n, k), p.r.type, sum);
      }
      for (int k = 0; k < p.u; ++k)
        for (int g = 0; g < p.g; ++g)
          for (int j = 0; j < p.u; ++j) next[n * p.u + k] += p.w(p.g + g, j, k) * p.get(t, n, j, p.g + g);
    }
    dh = next;
  }
  for (size_t i = 0; i < count; ++i) {
    if (dhx) write(dhx, i, p.r.type, dh[i]);
    if (dcx) write(dcx, i, p.r.type, dc[i]);
  }
  p.mark(SPENT);
}

void backward_weights(const Pass& p, void* out, const void* x, const void* hx, const void* y) {
  for (int id = 0; id < 2 * p.g; ++id)
    for (int j = 0; j < p.u; ++j) {
      int columns = id < p.g ? p.f : p.u;
      for (int k = -1; k < columns; ++k) {  // -1: the bias
        double sum = 0;
        for (int t = 0; t < p.steps; ++t)
          for (int n = 0; n < p.b; ++n) {
            double from = k < 0 ? 1 : id < p.g ? read(x, p.x_at(t, n, k), p.r.type) : p.before(y, hx, t, n, k);
            sum += p.get(t, n, j, id) * from;
          }
        int64_t at = k < 0 ? place(p.r, id, true) + j : place(p.r, id, false) + (int64_t)j * columns + k;
        write(out, at, p.r.type, read(out, at, p.r.type) + sum);
      }
    }
}

bool is_state(cudnnTensorDescriptor_t d, const Pass& p) {
  const Tensor& s = *(Tensor*)d;
  return d && s.type == p.r.type && s.rank == 3 && s.dim[0] == 1 && s.dim[1] == p.b && s.dim[2] == p.u &&
         s.stride[0] == p.b * p.u && s.stride[1] == p.u && s.stride[2] == 1;
}

// What all three calls are checked for.
bool fits(const Pass& p, const void* lengths, cudnnRNNDataDescriptor_t y, cudnnTensorDescriptor_t h, size_t weights,
          size_t work, void* block, size_t reserve, bool training) {
  const Data& out = *(Data*)y;
  if (lengths || !p.weights || weights < weight_bytes(p.r) || (uintptr_t)p.weights % bytes_of(p.r.type)) return false;
  if (p.data.type != p.r.type || p.data.vector != p.f || out.vector != p.u || out.type != p.r.type) return false;
  if (out.batch != p.b || out.steps != p.steps || !is_state(h, p)) return false;
  if (!block || work < work_bytes(p.data, training)) return false;
  if (training ? !p.reserve || reserve < reserve_bytes(p.r, p.data) : p.reserve != nullptr) return false;
  memset(block, 0x5a, work);
  return true;
}

}  // namespace

extern "C" {

int fake_alive() { return alive; }
int fake_calls(int which) { return calls[which]; }
int fake_math() { return last_math; }
int fake_training() { return last_training; }
void fake_refuse(int status) { refusal = (cudnnStatus_t)status; }
void* fake_stream() { return (void*)last_stream; }

const char* CUDNNWINAPI cudnnGetErrorString(cudnnStatus_t) { return "FAKE_STATUS"; }
void CUDNNWINAPI cudnnGetLastErrorString(char* out, size_t size) { strncpy(out, "the fake refuses", size); }
cudnnStatus_t CUDNNWINAPI cudnnCreate(cudnnHandle_t* out) { *out = (cudnnHandle_t)&handle; return OK; }
cudnnStatus_t CUDNNWINAPI cudnnSetStream(cudnnHandle_t h, cudaStream_t s) {
  last_stream = s;
  return h == (cudnnHandle_t)&handle ? OK : BAD;
}

cudnnStatus_t CUDNNWINAPI cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* out) { return make<Tensor>(out); }
cudnnStatus_t CUDNNWINAPI cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t d) { return destroy<Tensor>(d); }
cudnnStatus_t CUDNNWINAPI cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t d, cudnnDataType_t type, int rank,
                                                     const int dim[], const int stride[]) {
  if (rank != 3) return BAD;
  Tensor& t = *(Tensor*)d;
  t.type = type;
  t.rank = rank;
  memcpy(t.dim, dim, 12);
  memcpy(t.stride, stride, 12);
  return OK;
}
cudnnStatus_t CUDNNWINAPI cudnnGetTensorNdDescriptor(const cudnnTensorDescriptor_t d, int asked, cudnnDataType_t* type,
                                                     int* rank, int dim[], int stride[]) {
  const Tensor& t = *(Tensor*)d;
  *type = (cudnnDataType_t)t.type;
  *rank = t.rank;
  memcpy(dim, t.dim, 4 * asked);
  memcpy(stride, t.stride, 4 * asked);
  return OK;
}

cudnnStatus_t CUDNNWINAPI cudnnCreateDropoutDescriptor(cudnnDropoutDescriptor_t* out) { return make<Dropout>(out); }
cudnnStatus_t CUDNNWINAPI cudnnDestroyDropoutDescriptor(cudnnDropoutDescriptor_t d) { return destroy<Dropout>(d); }
cudnnStatus_t CUDNNWINAPI cudnnSetDropoutDescriptor(cudnnDropoutDescriptor_t d, cudnnHandle_t h, float rate,
                                                    void* states, size_t, unsigned long long) {
  ((Dropout*)d)->rate = rate;
  return h == (cudnnHandle_t)&handle && rate == 0 && !states ? OK : BAD;
}

cudnnStatus_t CUDNNWINAPI cudnnCreateRNNDescriptor(cudnnRNNDescriptor_t* out) { return make<Rnn>(out); }
cudnnStatus_t CUDNNWINAPI cudnnDestroyRNNDescriptor(cudnnRNNDescriptor_t d) { return destroy<Rnn>(d); }
cudnnStatus_t CUDNNWINAPI cudnnSetRNNDescriptor_v8(cudnnRNNDescriptor_t d, cudnnRNNAlgo_t algo, cudnnRNNMode_t mode,
                                                   cudnnRNNBiasMode_t bias, cudnnDirectionMode_t direction,
                                                   cudnnRNNInputMode_t input, cudnnDataType_t type,
                                                   cudnnDataType_t precision, cudnnMathType_t math, int32_t features,
                                                   int32_t units, int32_t projected, int32_t layers,
                                                   cudnnDropoutDescriptor_t dropout, uint32_t flags) {
  if (refusal) return refusal;
  if ((int)algo || (int)bias != 2 || (int)direction || (int)input || projected != units || layers != 1) return BAD;
  if (!dropout || flags != 1 || features < 1 || units < 1) return BAD;
  if ((int)precision != ((int)type == DOUBLE ? DOUBLE : FLOAT)) return UNSUPPORTED;
  *(Rnn*)d = Rnn{(int)mode, (int)type, (int)precision, (int)math, features, units};
  last_math = math;
  return OK;
}

cudnnStatus_t CUDNNWINAPI cudnnCreateRNNDataDescriptor(cudnnRNNDataDescriptor_t* out) { return make<Data>(out); }
cudnnStatus_t CUDNNWINAPI cudnnDestroyRNNDataDescriptor(cudnnRNNDataDescriptor_t d) { return destroy<Data>(d); }
cudnnStatus_t CUDNNWINAPI cudnnSetRNNDataDescriptor(cudnnRNNDataDescriptor_t d, cudnnDataType_t type,
                                                    cudnnRNNDataLayout_t layout, int steps, int batch, int vector,
                                                    const int lengths[], void*) {
  if ((int)layout || steps <= 0 || steps > 0xffff || batch <= 0 || vector <= 0) return BAD;
  for (int n = 0; n < batch; ++n)
    if (lengths[n] != steps) return BAD;
  *(Data*)d = Data{(int)type, steps, batch, vector};
  return OK;
}

cudnnStatus_t CUDNNWINAPI cudnnGetRNNTempSpaceSizes(cudnnHandle_t, cudnnRNNDescriptor_t rnn, cudnnForwardMode_t mode,
                                                    cudnnRNNDataDescriptor_t x, size_t* work, size_t* reserve) {
  *work = work_bytes(*(Data*)x, (int)mode);
  *reserve = (int)mode ? reserve_bytes(*(Rnn*)rnn, *(Data*)x) : 0;
  return OK;
}
cudnnStatus_t CUDNNWINAPI cudnnGetRNNWeightSpaceSize(cudnnHandle_t, cudnnRNNDescriptor_t rnn, size_t* size) {
  *size = weight_bytes(*(Rnn*)rnn);
  return OK;
}
cudnnStatus_t CUDNNWINAPI cudnnGetRNNWeightParams(cudnnHandle_t, cudnnRNNDescriptor_t rnn, int32_t layer, size_t size,
                                                  const void* space, int32_t id, cudnnTensorDescriptor_t m,
                                                  void** matrix, cudnnTensorDescriptor_t b, void** bias) {
  const Rnn& r = *(Rnn*)rnn;
  if (layer || size < weight_bytes(r) || id < 0 || id >= 2 * gates(r)) return BAD;
  int columns = id < gates(r) ? r.features : r.units;
  *(Tensor*)m = Tensor{r.type, 3, {1, r.units, columns}, {r.units * columns, columns, 1}};
  *(Tensor*)b = Tensor{r.type, 3, {1, r.units, 1}, {r.units, 1, 1}};
  *matrix = (char*)space + place(r, id, false) * bytes_of(r.type);
  *bias = (char*)space + place(r, id, true) * bytes_of(r.type);
  return OK;
}

cudnnStatus_t CUDNNWINAPI cudnnRNNForward(cudnnHandle_t h, cudnnRNNDescriptor_t rnn, cudnnForwardMode_t mode,
                                          const int32_t lengths[], cudnnRNNDataDescriptor_t xd, const void* x,
                                          cudnnRNNDataDescriptor_t yd, void* y, cudnnTensorDescriptor_t hd,
                                          const void* hx, void* hy, cudnnTensorDescriptor_t cd, const void* cx,
                                          void* cy, size_t weight_size, const void* weights, size_t work_size,
                                          void* work, size_t reserve_size, void* reserve) {
  Pass p{*(Rnn*)rnn, *(Data*)xd, weights, (char*)reserve};
  if (h != (cudnnHandle_t)&handle || !x || !y || (p.r.mode == LSTM) != is_state(cd, p)) return BAD;
  if (!fits(p, lengths, yd, hd, weight_size, work_size, work, reserve_size, (int)mode == 1)) return BAD;
  forward(p, x, y, hx, hy, cx, cy);
  ++calls[0];
  last_training = mode;
  return OK;
}

cudnnStatus_t CUDNNWINAPI cudnnRNNBackwardData_v8(cudnnHandle_t h, cudnnRNNDescriptor_t rnn, const int32_t lengths[],
                                                  cudnnRNNDataDescriptor_t yd, const void* y, const void* dy,
                                                  cudnnRNNDataDescriptor_t xd, void* dx, cudnnTensorDescriptor_t hd,
                                                  const void* hx, const void* dhy, void* dhx,
                                                  cudnnTensorDescriptor_t cd, const void* cx, const void* dcy,
                                                  void* dcx, size_t weight_size, const void* weights,
                                                  size_t work_size, void* work, size_t reserve_size, void* reserve) {
  Pass p{*(Rnn*)rnn, *(Data*)xd, weights, (char*)reserve};
  if (h != (cudnnHandle_t)&handle || !y || !dy || !dx || (p.r.mode == LSTM) != is_state(cd, p)) return BAD;
  if (!fits(p, lengths, yd, hd, weight_size, work_size, work, reserve_size, true) || !p.state(FILLED)) return BAD;
  for (int n = 0; p.r.mode == LSTM && n < p.b * p.u; ++n)  // the cell is that of the forward call
    if ((cx ? read(cx, n, p.r.type) : 0) != p.get(0, n / p.u, n % p.u, 8)) return BAD;
  backward(p, y, dy, dx, hx, dhy, dhx, dcy, dcx);
  ++calls[1];
  return OK;
}

cudnnStatus_t CUDNNWINAPI cudnnRNNBackwardWeights_v8(cudnnHandle_t h, cudnnRNNDescriptor_t rnn, cudnnWgradMode_t add,
                                                     const int32_t lengths[], cudnnRNNDataDescriptor_t xd,
                                                     const void* x, cudnnTensorDescriptor_t hd, const void* hx,
                                                     cudnnRNNDataDescriptor_t yd, const void* y, size_t weight_size,
                                                     void* gradients, size_t work_size, void* work,
                                                     size_t reserve_size, void* reserve) {
  Pass p{*(Rnn*)rnn, *(Data*)xd, gradients, (char*)reserve};
  if (h != (cudnnHandle_t)&handle || (int)add || !x || !y) return BAD;
  if (!fits(p, lengths, yd, hd, weight_size, work_size, work, reserve_size, true) || !p.state(SPENT)) return BAD;
  backward_weights(p, gradients, x, hx, y);
  ++calls[2];
  return OK;
}

}  // extern "C"
