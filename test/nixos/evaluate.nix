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
    };
  };
in
{
  inherit (config.systemd) services sockets;
  users = config.users.users;
  settings = config.services.pilotlight.settings or { };
}
