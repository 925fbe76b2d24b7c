# The files that api/documentation.h hands out: joined, compressed and turned into one source.
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
file(GLOB pages CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/docs/*.md")
foreach(page IN LISTS pages)
  cmake_path(GET page FILENAME name)
  list(APPEND entries document "docs/${name}" "${page}")
  list(APPEND sources "${page}")
endforeach()

# Swagger UI comes from npm (web/docs/package-lock.json). Without it everything else is there. A glob, so that a build notices when it came.
set(swagger "${web}/node_modules/swagger-ui-dist")
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

set(embedded "${CMAKE_CURRENT_BINARY_DIR}/embedded_files.cc")
add_custom_command(OUTPUT "${embedded}"
  COMMAND embed "${embedded}" ${entries}
  DEPENDS embed ${sources}
  COMMENT "Embedding the documentation" VERBATIM)
target_sources(holdfast_api PRIVATE "${embedded}")
