#include "backends/parallel/machine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "graph/threads.h"
#include "ops/error.h"

namespace cotan::parallel {
namespace {

namespace fs = std::filesystem;

std::string message_of(auto&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no Error";
}

// An environment variable for a test; what it was comes back after it.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    const char* before = std::getenv(name);
    had_ = before != nullptr;
    if (had_) before_ = before;
    if (value == nullptr) {
      unsetenv(name);
    } else {
      setenv(name, value, 1);
    }
  }
  ~Variable() {
    if (had_) {
      setenv(name_, before_.c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::string before_;
  bool had_ = false;
};

// A root of a file system with the files a test puts into it.
class Root {
 public:
  Root() : path_(fs::temp_directory_path() / ("cotan-root-" + std::to_string(getpid()))) { fs::remove_all(path_); }
  ~Root() { fs::remove_all(path_); }
  void put(const std::string& file, const std::string& text) const {
    fs::create_directories((path_ / file).parent_path());
    std::ofstream(path_ / file) << text;
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

TEST(Quota, IsRoundedUp) {
  EXPECT_EQ(parse_cpu_quota("100000 100000"), 1);
  EXPECT_EQ(parse_cpu_quota("150000 100000\n"), 2);
  EXPECT_EQ(parse_cpu_quota("200000 100000"), 2);
  EXPECT_EQ(parse_cpu_quota("200001 100000"), 3);
  EXPECT_EQ(parse_cpu_quota("5000 100000"), 1);
  EXPECT_EQ(parse_cpu_quota("9000000000000000000 1"), kMaxThreads);
}

TEST(Quota, WhatCannotBeReadIsNoLimit) {
  for (const char* text : {"", "max 100000", "max", "-1 100000", "0 100000", "100000 0", "100000", "a b", "100000 100000x", "99999999999999999999 100000"}) {
    EXPECT_EQ(parse_cpu_quota(text), 0) << text;
  }
}

TEST(Quota, NoFilesNoLimit) {
  const Root root;
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 0);
  root.put("proc/self/cgroup", "0::/\nnonsense\n::\n");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 0);
}

TEST(Quota, Version2TakesTheLeastAlongThePath) {
  const Root root;
  root.put("proc/self/cgroup", "0::/a/b/c\n");
  root.put("sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 0);
  root.put("sys/fs/cgroup/a/b/cpu.max", "800000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 8);
  root.put("sys/fs/cgroup/a/cpu.max", "350000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 4);
  root.put("sys/fs/cgroup/a/b/c/cpu.max", "150000 50000\n");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 3);
}

TEST(Quota, Version2InAContainerIsAtTheMountPoint) {
  const Root root;
  root.put("proc/self/cgroup", "0::/../../of/the/host\n");
  root.put("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 2);
}

TEST(Quota, Version1) {
  const Root root;
  root.put("proc/self/cgroup", "5:memory:/m\n4:cpuset:/s\n3:cpu,cpuacct:/job\n0::/\n");
  root.put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  root.put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 0);
  root.put("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "250000\n");
  root.put("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 3);
  root.put("sys/fs/cgroup/memory/m/cpu.cfs_quota_us", "100000\n");
  root.put("sys/fs/cgroup/memory/m/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 3) << "a controller other than cpu sets no CPU quota";
}

TEST(DefaultThreads, IsTheLesserOfCpusAndQuota) {
  EXPECT_EQ(default_threads(nullptr, 16, 0), 16);
  EXPECT_EQ(default_threads(nullptr, 16, 4), 4);
  EXPECT_EQ(default_threads(nullptr, 2, 4), 2);
  EXPECT_EQ(default_threads("", 2, 4), 2);
  EXPECT_EQ(default_threads(nullptr, 4000, 0), kMaxThreads);
}

TEST(DefaultThreads, TheVariableDecides) {
  EXPECT_EQ(default_threads("7", 2, 4), 7);
  EXPECT_EQ(default_threads(" 3 ", 16, 0), 3);
  EXPECT_EQ(default_threads("1024", 2, 0), 1024);
}

TEST(DefaultThreads, ABadVariableIsNamed) {
  for (const char* text : {"0", "-1", "1025", "four", "2.5", "4 4", " ", "99999999999999999999"}) {
    const std::string message = message_of([&] { static_cast<void>(default_threads(text, 2, 0)); });
    EXPECT_NE(message.find("COTAN_THREADS is \"" + std::string(text) + "\""), std::string::npos) << message;
    EXPECT_NE(message.find("1 to 1024"), std::string::npos) << message;
  }
}

TEST(SetThreads, TakesOneTo1024) {
  for (const int n : {1, 2, 1024}) {
    set_threads(n);
    EXPECT_EQ(threads(), n);
  }
  set_threads(0);
}

TEST(SetThreads, RefusesOtherNumbersAndKeepsTheOldOne) {
  set_threads(3);
  for (const int n : {-1, 1025, -2147483647}) {
    const std::string message = message_of([&] { set_threads(n); });
    EXPECT_NE(message.find("set_threads: " + std::to_string(n) + " threads"), std::string::npos) << message;
    EXPECT_NE(message.find("machine_test.cpp:"), std::string::npos) << message;
  }
  EXPECT_EQ(threads(), 3);
  set_threads(0);
}

TEST(SetThreads, ZeroReadsTheDefaultAgain) {
  {
    const Variable variable("COTAN_THREADS", "5");
    set_threads(0);
    EXPECT_EQ(threads(), 5);
  }
  {
    const Variable variable("COTAN_THREADS", "lots");
    const std::string message = message_of([] { set_threads(0); });
    EXPECT_NE(message.find("COTAN_THREADS is \"lots\""), std::string::npos) << message;
    EXPECT_EQ(threads(), 5);
  }
  const Variable variable("COTAN_THREADS", nullptr);
  set_threads(0);
  EXPECT_EQ(threads(), default_threads(nullptr, affinity_count(), cgroup_cpu_quota()));
}

TEST(Binding, WarnsOnlyWhenOpenMpBoundFewerCpusThanWanted) {
  EXPECT_EQ(binding_warning("", 1, 16), "");
  EXPECT_EQ(binding_warning("OMP_PROC_BIND=true", 16, 16), "");
  const std::string warning = binding_warning("OMP_PROC_BIND=true", 1, 16);
  EXPECT_NE(warning.find("1 of 16 CPUs"), std::string::npos) << warning;
  EXPECT_NE(warning.find("OMP_PROC_BIND=true"), std::string::npos) << warning;
  EXPECT_EQ(warning.back(), '\n');
}

TEST(Binding, FindsTheSettingThatBinds) {
  const Variable places("OMP_PLACES", nullptr), gomp("GOMP_CPU_AFFINITY", nullptr), kmp("KMP_AFFINITY", nullptr);
  {
    const Variable bind("OMP_PROC_BIND", "false");
    EXPECT_EQ(openmp_binding(), "");
  }
  {
    const Variable bind("OMP_PROC_BIND", "Close");
    EXPECT_EQ(openmp_binding(), "OMP_PROC_BIND=Close");
  }
  const Variable bind("OMP_PROC_BIND", nullptr);
  EXPECT_EQ(openmp_binding(), "");
  const Variable affinity("GOMP_CPU_AFFINITY", "0-3");
  EXPECT_EQ(openmp_binding(), "GOMP_CPU_AFFINITY=0-3");
}

TEST(Affinity, CountsThisThreadsCpus) {
  EXPECT_GE(affinity_count(), 1);
  EXPECT_LE(affinity_count(), sysconf(_SC_NPROCESSORS_CONF));
  EXPECT_GE(usable_cpus(), 1);
}

}  // namespace
}  // namespace cotan::parallel
