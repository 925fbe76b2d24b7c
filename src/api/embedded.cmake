# The files that api/embedded.h hands out: joined, compressed and turned into one source.
set(openapi "${CMAKE_BINARY_DIR}/openapi.json")
file(GLOB parts CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/openapi/*.yaml")
list(PREPEND parts "${CMAKE_CURRENT_SOURCE_DIR}/openapi/document.yaml")   # what it begins with
list(REMOVE_DUPLICATES parts)
add_custom_command(OUTPUT "${openapi}"
  COMMAND join_openapi "${PROJECT_VERSION}" "${openapi}" ${parts}
  DEPENDS join_openapi ${parts}
  COMMENT "Joining the OpenAPI document" VERBATIM)
add_custom_target(openapi DEPENDS "${openapi}")

set(web "${CMAKE_SOURCE_DIR}/web/docs")
set(entries
  document openapi.json "${openapi}"
  document llms.txt "${web}/llms.txt")
set(sources "${openapi}" "${web}/llms.txt")
file(GLOB_RECURSE pages CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}" "${CMAKE_SOURCE_DIR}/docs/*.md")
foreach(name IN LISTS pages)
  set(page "${CMAKE_SOURCE_DIR}/${name}")
  list(APPEND entries document "${name}" "${page}")
  list(APPEND sources "${page}")
endforeach()

# Swagger UI comes from npm (web/docs/package.json). Without it everything else is there. A glob, so that a build notices when it came.
set(swagger "${CMAKE_SOURCE_DIR}/node_modules/swagger-ui-dist")
file(GLOB ui CONFIGURE_DEPENDS "${swagger}/swagger-ui-bundle.js" "${swagger}/swagger-ui.css")
list(LENGTH ui found)
if(found EQUAL 2)
  list(APPEND entries
    immutable docs/swagger-ui.css "${swagger}/swagger-ui.css"
    immutable docs/swagger-ui-bundle.js "${swagger}/swagger-ui-bundle.js"
    immutable docs/page.js "${web}/page.js"
    page docs "${web}/page.html")
  list(APPEND sources ${ui} "${web}/page.js" "${web}/page.html")
else()
  list(APPEND entries document docs "${web}/absent.html")
  list(APPEND sources "${web}/absent.html")
endif()

# The pages / and /console, built by web/build.mjs with what web/package.json names. Without Node.js or without that, the program is built
# with a page that says so. The stamp is a glob too, so that a build notices when it came; it changes with the lock and with Node.js.
set(pages_source "${CMAKE_SOURCE_DIR}/web")
file(GLOB installed CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/node_modules/.installed")
if(node AND installed)
  set(site "${CMAKE_BINARY_DIR}/web")
  file(GLOB_RECURSE page_sources CONFIGURE_DEPENDS "${pages_source}/src/*" "${CMAKE_SOURCE_DIR}/clients/typescript/src/*.ts")
  list(FILTER page_sources EXCLUDE REGEX "/generated/")
  add_custom_command(OUTPUT "${site}.stamp"
    COMMAND node "${pages_source}/build.mjs" "${openapi}" "${site}"
    COMMAND "${CMAKE_COMMAND}" -E touch "${site}.stamp"
    DEPENDS "${openapi}" ${page_sources} ${installed} "${pages_source}/index.html" "${pages_source}/console/index.html"
      "${pages_source}/build.mjs" "${pages_source}/tsconfig.json"
    COMMENT "Building the pages" VERBATIM)
  list(APPEND entries site - "${site}")
  list(APPEND sources "${site}.stamp")
else()
  list(APPEND entries document / "${pages_source}/absent.html" document console "${pages_source}/absent.html")
  list(APPEND sources "${pages_source}/absent.html")
endif()

set(embedded "${CMAKE_CURRENT_BINARY_DIR}/embedded_files.cc")
add_custom_command(OUTPUT "${embedded}"
  COMMAND embed "${embedded}" ${entries}
  DEPENDS embed ${sources}
  COMMENT "Embedding the pages and the documentation" VERBATIM)
target_sources(holdfast_api PRIVATE "${embedded}")
