#include "memory/library_pages.h"

#include <elf.h>
#include <link.h>
#include <sys/mman.h>

#include <cstring>

#include "memory/arena.h"

namespace spillway {
namespace {

// Whether the loader wrote into the code itself: such pages are no longer what the file holds.
bool HasTextRelocations(const dl_phdr_info& info) {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    if (info.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(info.dlpi_addr + info.dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry)
      if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)))
        return true;
  }
  return false;
}

int DropPages(dl_phdr_info* info, size_t, void* prefix) {
  const char* slash = std::strrchr(info->dlpi_name, '/');
  const char* name = slash ? slash + 1 : info->dlpi_name;
  const auto* wanted = static_cast<const char*>(prefix);
  if (std::strncmp(name, wanted, std::strlen(wanted)) != 0 || HasTextRelocations(*info)) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W)) continue;
    // The last page may be shared with the next segment, which is written to.
    const uintptr_t begin = (info->dlpi_addr + segment.p_vaddr) & ~uintptr_t{kPageBytes - 1};
    const uintptr_t end = (info->dlpi_addr + segment.p_vaddr + segment.p_memsz) & ~uintptr_t{kPageBytes - 1};
    if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void DropLibraryPages(const char* prefix) { dl_iterate_phdr(DropPages, const_cast<char*>(prefix)); }

}  // namespace spillway
