// Stands for the binding of an old onnxruntime-node, for tests: an addon that is linked with its library.
extern "C" const void* OrtGetApiBase();
extern "C" void* napi_register_module_v1(void*, void* exports) { return OrtGetApiBase() ? exports : nullptr; }
