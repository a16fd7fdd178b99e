// A mutex for sections of some hundred nanoseconds: it spins a little before it parks, because going to sleep
// and being woken costs several microseconds.
#pragma once

#include <mutex>

namespace spillway {

class ShortMutex {
 public:
  void lock() {
    static constexpr int kSpins = 200;  // around 5 µs with the pause instruction of current x86 cores
    for (int spin = 0; spin < kSpins; ++spin) {
      if (mutex_.try_lock()) return;
      Pause();
    }
    mutex_.lock();
  }
  void unlock() { mutex_.unlock(); }

 private:
  static void Pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  std::mutex mutex_;
};

}  // namespace spillway
