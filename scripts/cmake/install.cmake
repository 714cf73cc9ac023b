# Installation, in four components: decree_client (the client library and its headers), decree_node
# (the embeddable node, on top of the client), decree_server (decreed) and decree_tools (decree).
#   cmake --install build --prefix /opt/decree [--component decree_client]
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/decree)
set(client_targets decree_flags decree_base decree_api decree_client)
set(node_targets decree_consensus decree_store decree_rocks decree_rebalance decree_node_core
  decree_net decree_node)
set_target_properties(decree_client PROPERTIES EXPORT_NAME client)
set_target_properties(decree_node PROPERTIES EXPORT_NAME node)
target_include_directories(decree_flags INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

foreach(part client node)
  install(TARGETS ${${part}_targets} EXPORT decree_${part}_targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT decree_${part})
  install(EXPORT decree_${part}_targets NAMESPACE decree:: FILE decree-${part}.cmake
    DESTINATION ${package_dir} COMPONENT decree_${part})
endforeach()
install(DIRECTORY
  ${PROJECT_SOURCE_DIR}/kv/include/decree ${PROJECT_SOURCE_DIR}/client/include/decree
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT decree_client FILES_MATCHING PATTERN "*.h")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/server/include/decree
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT decree_node FILES_MATCHING PATTERN "*.h")

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/decreeConfig.cmake.in
  ${PROJECT_BINARY_DIR}/decreeConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/decreeConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/decreeConfig.cmake
  ${PROJECT_BINARY_DIR}/decreeConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT decree_client)

# The .pc file finds its prefix from its own place, so that the tree can be moved.
file(RELATIVE_PATH pc_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/decree-client.pc.in
  ${PROJECT_BINARY_DIR}/decree-client.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/decree-client.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT decree_client)

if(TARGET decreed)
  install(TARGETS decreed RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT decree_server)
  install(FILES ${PROJECT_SOURCE_DIR}/server/packaging/decreed.8
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT decree_server)
  install(FILES ${PROJECT_SOURCE_DIR}/server/packaging/decreed.service
    DESTINATION lib/systemd/system COMPONENT decree_server)
  install(FILES ${PROJECT_SOURCE_DIR}/server/packaging/decreed.env
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/decree-server/examples COMPONENT decree_server)
endif()

# What man and the shells know of decree, told by decree itself.
if(TARGET decree)
  set(words ${PROJECT_BINARY_DIR}/words)
  add_custom_command(OUTPUT ${words}/decree.1 ${words}/decree ${words}/_decree
    COMMAND ${CMAKE_COMMAND} -E make_directory ${words}
    COMMAND decree man > ${words}/decree.1
    COMMAND decree completion bash > ${words}/decree
    COMMAND decree completion zsh > ${words}/_decree
    DEPENDS decree VERBATIM)
  add_custom_target(decree_words ALL DEPENDS ${words}/decree.1)
  install(TARGETS decree RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT decree_tools)
  install(FILES ${words}/decree.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
    COMPONENT decree_tools)
  install(FILES ${words}/decree DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
    COMPONENT decree_tools)
  install(FILES ${words}/_decree DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions
    COMPONENT decree_tools)
endif()
