# cotan_find_onednn(<target> [ROOT <prefix>]) defines an imported target for oneDNN 2.6 or 3.x: the system's, or the one below <prefix>.
#
# oneDNN's own package config is not used: Debian's requires the OpenCL headers and ends the configuration where they are missing, even for an optional
# package. This file is installed with Cotan, because a static library's users link what it links.
function(cotan_find_onednn target)
  if(TARGET ${target})
    return()
  endif()
  cmake_parse_arguments(arg "" "ROOT" "" ${ARGN})
  set(where "")
  if(arg_ROOT)
    set(where PATHS "${arg_ROOT}" NO_DEFAULT_PATH)
  endif()
  unset(cotan_onednn_include CACHE)
  unset(cotan_onednn_library CACHE)
  find_path(cotan_onednn_include oneapi/dnnl/dnnl_version.h ${where} PATH_SUFFIXES include)
  find_library(cotan_onednn_library dnnl ${where} PATH_SUFFIXES lib lib64)
  mark_as_advanced(cotan_onednn_include cotan_onednn_library)
  if(NOT cotan_onednn_include OR NOT cotan_onednn_library)
    message(FATAL_ERROR "oneDNN was not found (prefix '${arg_ROOT}'). On Debian install libdnnl-dev, or name the prefix of another oneDNN with -DCOTAN_ONEDNN_ROOT=...")
  endif()

  file(STRINGS "${cotan_onednn_include}/oneapi/dnnl/dnnl_version.h" lines REGEX "define DNNL_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
  set(numbers "")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "[0-9]+$" number "${line}")
    list(APPEND numbers "${number}")
  endforeach()
  string(REPLACE ";" "." version "${numbers}")
  message(STATUS "oneDNN ${version}: ${cotan_onednn_library}")

  add_library(${target} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES IMPORTED_LOCATION "${cotan_onednn_library}" INTERFACE_INCLUDE_DIRECTORIES "${cotan_onednn_include}")
  if(arg_ROOT)
    # A library unpacked into a prefix has no search path of its own for the run-time libraries beside it. DT_RPATH is looked up for a library's own needs
    # too; DT_RUNPATH, the linker's default, is not.
    get_filename_component(folder "${cotan_onednn_library}" DIRECTORY)
    target_link_options(${target} INTERFACE "LINKER:--disable-new-dtags,-rpath,${folder}" "LINKER:-rpath-link,${folder}")
  endif()
endfunction()
