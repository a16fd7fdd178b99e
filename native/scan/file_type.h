// From the kernel's file types to ours.
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include "scan/scan_plan.h"

namespace spillway {

// Of the d_type of a directory entry; some file systems tell none.
inline FileType TypeOfDirent(unsigned char type) {
  switch (type) {
    case DT_REG:
      return kFile;
    case DT_DIR:
      return kDirectory;
    case DT_LNK:
      return kSymlink;
    case DT_FIFO:
      return kFifo;
    case DT_SOCK:
      return kSocket;
    case DT_BLK:
      return kBlock;
    case DT_CHR:
      return kCharacter;
    default:
      return kUnknown;
  }
}

inline FileType TypeOfMode(mode_t mode) { return TypeOfDirent(IFTODT(mode)); }

// For a sentence: "found a fifo".
inline const char* NameOf(FileType type) {
  switch (type) {
    case kFifo:
      return "a fifo";
    case kSocket:
      return "a socket";
    case kBlock:
      return "a block device";
    case kCharacter:
      return "a character device";
    default:
      return "something else";
  }
}

}  // namespace spillway
