// A shared library that is none of custom operators, for tests.
extern "C" int Nothing() { return 0; }
