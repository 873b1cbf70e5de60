# The libraries Cotan stands on, all of them packages of Debian 12. CotanInstall.cmake repeats the list for programs that link an installed Cotan.
include(CotanOneDnn)
include(CotanHighway)

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)        # libfmt-dev
find_package(TBB REQUIRED)        # libtbb-dev
find_package(ZLIB REQUIRED)       # zlib1g-dev
cotan_find_highway(cotan::highway)
cotan_find_onednn(cotan::onednn ROOT "${COTAN_ONEDNN_ROOT}")

if(COTAN_TOOLS OR COTAN_EXAMPLES)
  find_package(CLI11 REQUIRED)    # libcli11-dev
endif()
if(COTAN_TESTS)
  find_package(GTest REQUIRED)    # libgtest-dev, libgmock-dev
endif()
if(COTAN_BENCH)
  find_package(benchmark REQUIRED)  # libbenchmark-dev
endif()
