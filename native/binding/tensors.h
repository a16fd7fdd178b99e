// Tensors between JavaScript and the session: inputs by reference, outputs copied once.
#pragma once

#include <napi.h>

#include <vector>

#include "infer/session.h"

namespace spillway {

// The JavaScript name of an element type ("float32"), or nullptr for one the contract does not have.
const char* ElementTypeName(ort::ElementType type);

// Reads `{ name, tensor: { type, dims, data } }[]`; what must stay alive during the run is appended to
// `pins`. Throws ERR_INVALID_ARGUMENT where dims and elements disagree, so that nothing is read out of
// bounds.
std::vector<InputTensor> ReadInputs(const Napi::CallbackInfo& info, const Napi::Array& feeds,
                                    Napi::Array pins);

// Whether MakeOutputs can make it.
Status CheckOutput(const std::string& name, const OutputTensor& output, int64_t rows);

// `{ type, dims, data }[]` by raw Node-API calls, or nullptr where the environment refuses. With `rows`, of
// which each output has as many (0: whole), all outputs of the first row, then those of the second, and so
// on.
napi_value MakeOutputs(napi_env env, const std::vector<OutputTensor>& outputs, int64_t rows);

// `{ name, type, dims }[]`.
Napi::Value DescribeValues(Napi::Env env, const std::vector<ValueInfo>& values);

}  // namespace spillway
