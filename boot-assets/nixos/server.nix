# Pilotlight itself as a NixOS service. DHCP, PXE and TFTP have low ports: the service gets CAP_NET_BIND_SERVICE and nothing
# else, and runs as a user of its own.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.pilotlight;
  # One unit a link. Which of its sockets is for what, the server reads from where each is bound.
  socket = interface: address: {
    description = "Pilotlight DHCP on ${interface}";
    wantedBy = [ "sockets.target" ];
    socketConfig = {
      ListenDatagram = [ "0.0.0.0:67" "${address}:67" "${address}:4011" ];
      BindToDevice = interface;
      Broadcast = true;
      FreeBind = true;
      ReceiveBuffer = "4M";
      FileDescriptorName = "dhcp-${interface}";
      Service = "pilotlight.service";
    };
  };
  yaml = pkgs.formats.yaml { };
  settings = yaml.generate "pilotlight.yaml" cfg.settings;
in
{
  options.services.pilotlight = {
    enable = lib.mkEnableOption "the Pilotlight provisioning server";
    package = lib.mkOption {
      type = lib.types.package;
      description = "Pilotlight with its node_modules: a directory with src/start.js.";
    };
    node = lib.mkOption {
      type = lib.types.package;
      default = pkgs.nodejs_24;
      description = "Node 24 or newer.";
    };
    settings = lib.mkOption {
      type = yaml.type;
      default = { };
      description = "What stands in pilotlight.yaml; docs/configuration.md explains every key.";
    };
    dhcpSockets = lib.mkOption {
      type = lib.types.attrsOf lib.types.str;
      default = { };
      example = { eth1 = "10.77.0.1"; };
      description = ''
        Links whose DHCP sockets systemd opens and holds, each with the server's address on it: a restart then loses no
        packet, and several links can be told apart. Links that are not here the server opens itself.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    users.users.pilotlight = {
      isSystemUser = true;
      group = "pilotlight";
    };
    users.groups.pilotlight = { };
    services.pilotlight.settings = {
      data_dir = lib.mkDefault "/var/lib/pilotlight";
      # Not below the program, which is read-only: `pilotlight assets install` writes here.
      assets_dir = lib.mkDefault "/var/lib/pilotlight/loaders";
    };

    systemd.services.pilotlight = {
      description = "Pilotlight provisioning server";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      serviceConfig = {
        Type = "simple";
        ExecStart = "${cfg.node}/bin/node ${cfg.package}/src/start.js serve --config ${settings}";
        Restart = "on-failure";
        RestartSec = "5s";
        User = "pilotlight";
        Group = "pilotlight";
        StateDirectory = "pilotlight";
        StateDirectoryMode = "0700";
        CacheDirectory = "pilotlight";
        CacheDirectoryMode = "0700";
        AmbientCapabilities = [ "CAP_NET_BIND_SERVICE" ];
        CapabilityBoundingSet = [ "CAP_NET_BIND_SERVICE" ];
        NoNewPrivileges = true;
        PrivateTmp = true;
        PrivateDevices = true;
        ProtectSystem = "strict";
        ProtectHome = true;
        ProtectClock = true;
        ProtectControlGroups = true;
        ProtectHostname = true;
        ProtectKernelLogs = true;
        ProtectKernelModules = true;
        ProtectKernelTunables = true;
        ProtectProc = "invisible";
        RestrictAddressFamilies = [ "AF_INET" "AF_INET6" "AF_UNIX" "AF_NETLINK" ];
        RestrictNamespaces = true;
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        LockPersonality = true;
        SystemCallArchitectures = "native";
        SystemCallFilter = [ "@system-service" "~@privileged" ];
        UMask = "0077";
      };
    };

    systemd.sockets = lib.mapAttrs'
      (interface: address: lib.nameValuePair "pilotlight-${interface}" (socket interface address))
      cfg.dhcpSockets;
  };
}
