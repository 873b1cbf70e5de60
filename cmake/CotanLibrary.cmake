# The layers of the library, one object library a folder, and `cotan`, all of them together.
#
# A layer sees only what it may: oneDNN's headers are a requirement of backends/onednn alone. For the other dependencies, which live in the system's include
# path, the include-direction test says who may see them.

set(cotan_layers "")

# cotan_layer(<name> FOLDER <folder> [FLAT] [LIBRARIES <lib>...] [<options of cotan_compile>...]): cotan_<name> from the folder's sources; FLAT leaves
# subfolders out. A folder without sources becomes an interface library, so that linking it is no error.
function(cotan_layer name)
  cmake_parse_arguments(arg "FLAT" "FOLDER" "LIBRARIES" ${ARGN})
  set(mode GLOB_RECURSE)
  if(arg_FLAT)
    set(mode GLOB)
  endif()
  file(${mode} sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${arg_FOLDER}/*.cpp")
  set(target cotan_${name})
  if(sources)
    add_library(${target} OBJECT ${sources})
    target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}")
    # LINK_ONLY keeps a dependency's headers inside the layer while the programs that take its objects still link it.
    target_link_libraries(${target} PUBLIC fmt::fmt Threads::Threads PRIVATE ${arg_LIBRARIES})
    foreach(library IN LISTS arg_LIBRARIES)
      target_link_libraries(${target} INTERFACE $<LINK_ONLY:${library}>)
    endforeach()
    cotan_compile(${target} ${arg_UNPARSED_ARGUMENTS})
    set(cotan_layers ${cotan_layers} ${target} PARENT_SCOPE)
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE "${PROJECT_SOURCE_DIR}")
    target_link_libraries(${target} INTERFACE fmt::fmt Threads::Threads)
  endif()
endfunction()

cotan_layer(ops FOLDER ops)
cotan_layer(graph FOLDER graph)
cotan_layer(autograd FOLDER autograd)
cotan_layer(reference FOLDER backends/reference OPTIMIZE)
cotan_layer(loops FOLDER backends/loops LIBRARIES cotan::highway OPTIMIZE)
cotan_layer(onednn FOLDER backends/onednn LIBRARIES cotan::onednn)
cotan_layer(parallel FOLDER backends/parallel LIBRARIES TBB::tbb NO_THREAD_SANITIZER)
cotan_layer(memory FOLDER backends/memory)
cotan_layer(backends FOLDER backends FLAT)
cotan_layer(training FOLDER training LIBRARIES ZLIB::ZLIB TBB::tbb)
if("cotan_training" IN_LIST cotan_layers)
  target_compile_definitions(cotan_training PRIVATE COTAN_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
endif()

set(cotan_objects "")
foreach(layer IN LISTS cotan_layers)
  list(APPEND cotan_objects $<TARGET_OBJECTS:${layer}>)
endforeach()
add_library(cotan STATIC ${cotan_objects})
add_library(cotan::cotan ALIAS cotan)
set_target_properties(cotan PROPERTIES LINKER_LANGUAGE CXX)
target_compile_features(cotan PUBLIC cxx_std_20)
target_include_directories(cotan PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/training>)
target_link_libraries(cotan PUBLIC fmt::fmt Threads::Threads PRIVATE TBB::tbb ZLIB::ZLIB cotan::highway cotan::onednn ${CMAKE_DL_LIBS})
