# The libraries Cotan stands on, all of them packages of Debian 12. CotanInstall.cmake repeats the list for programs that link an installed Cotan.
include(CotanOneDnn)
include(CotanHighway)

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)        # libfmt-dev
find_package(TBB REQUIRED)        # libtbb-dev
find_package(ZLIB REQUIRED)       # zlib1g-dev
find_package(nlohmann_json REQUIRED)  # nlohmann-json3-dev, a header
cotan_find_highway(cotan::highway)
cotan_find_onednn(cotan::onednn ROOT "${COTAN_ONEDNN_ROOT}")

# The assembler of generated code: Xbyak, headers only. Registers being our own, only an assembler is wanted, and AsmJit is one as well. Both were tried: AsmJit
# encodes operands that do not fit each other unless checks are switched on, where Xbyak throws, and Debian's static library of AsmJit is not
# position-independent, so it cannot become part of a shared object. Other processors than x86-64 generate no code.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  find_path(cotan_xbyak_include xbyak/xbyak.h)  # libxbyak-dev
  mark_as_advanced(cotan_xbyak_include)
  if(NOT cotan_xbyak_include)
    message(FATAL_ERROR "Xbyak was not found. On Debian install libxbyak-dev")
  endif()
endif()

if(COTAN_TOOLS OR COTAN_EXAMPLES)
  find_package(CLI11 REQUIRED)    # libcli11-dev
endif()
if(COTAN_TESTS)
  find_package(GTest REQUIRED)    # libgtest-dev, libgmock-dev
endif()
if(COTAN_BENCH)
  find_package(benchmark REQUIRED)  # libbenchmark-dev
endif()
