# Evaluates a module of boot-assets/nixos against our stub of lib. Arguments are strings of Nix, from the test.
{ module, settings }:
let
  lib = import ./lib.nix;
  anything = default: lib.mkOption { type = lib.types.attrs; inherit default; };
  pkgs = {
    coreutils = "/pkgs/coreutils";
    curl = "/pkgs/curl";
    gnugrep = "/pkgs/gnugrep";
    gnused = "/pkgs/gnused";
    jq = "/pkgs/jq";
    nodejs_24 = "/pkgs/node";
    runCommand = name: _: _: "/pkgs/${name}";
    busybox = "/pkgs/busybox";
    writeScript = name: text: builtins.seq text "/pkgs/${name}";
    formats.yaml = _: { type = lib.types.attrs; generate = name: value: builtins.seq (builtins.toJSON value) "/pkgs/${name}"; };
  };
  config = lib.evalModules {
    modules = [ (import module) settings ];
    specialArgs = { inherit pkgs; };
    open = {
      systemd.services = anything { };
      systemd.sockets = anything { };
      users.users = anything { };
      users.groups = anything { };
      system.build = anything { };
      boot.initrd = {
        availableKernelModules = lib.mkOption { type = lib.types.listOf lib.types.str; default = [ ]; };
        network.enable = lib.mkOption { type = lib.types.bool; default = false; };
        network.postCommands = lib.mkOption { type = lib.types.str; default = ""; };
        systemd.enable = lib.mkOption { type = lib.types.bool; default = false; };
        systemd.network.networks = anything { };
        systemd.extraBin = anything { };
        systemd.storePaths = lib.mkOption { type = lib.types.listOf lib.types.str; default = [ ]; };
        systemd.services = anything { };
      };
    };
  };
in
{
  inherit (config.systemd) services sockets;
  users = config.users.users;
  initrd = config.boot.initrd;
  build = config.system.build;
  settings = config.services.pilotlight.settings or { };
}
