# A netboot image whose Nix store is a squashfs of its own beside the initrd. Stage 1 fetches it from where Pilotlight's boot
# script says (`pilotlight.squashfs=` on the kernel command line), compares it with what the script says, and the store is then
# mounted from it. To be used beside nixpkgs' netboot modules (installer/netboot/netboot-minimal.nix), which otherwise put the
# store into the initrd, where a machine holds it in RAM packed and unpacked; both kinds of stage 1 are meant, the one of shell
# scripts and the one of systemd.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.pilotlight-separate-store;
  isSystemd = config.boot.initrd.systemd.enable;
  fetch = pkgs.writeScript "fetch-squashfs.sh" (builtins.readFile ../initrd/fetch-squashfs.sh);
  directory = "/pilotlight-store";
  # Where nixpkgs' netboot modules look for it.
  store = "/nix-store.squashfs";
in
{
  options.services.pilotlight-separate-store = {
    enable = lib.mkEnableOption "a Nix store beside the initrd, which stage 1 fetches";
    networkDrivers = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ "virtio_net" "e1000e" "igb" "ixgbe" "i40e" "ice" "bnxt_en" "mlx5_core" "r8169" "tg3" ];
      description = "Kernel modules of network ports that machines boot from: stage 1 needs them now.";
    };
  };

  config = lib.mkIf cfg.enable {
    boot.initrd = lib.mkMerge [
      {
        availableKernelModules = cfg.networkDrivers;
        network.enable = true;
      }
      (lib.mkIf (!isSystemd) {
        # By the lease that nixpkgs' stage 1 takes; it is given up before stage 2.
        network.postCommands = ''
          if sh ${fetch} ${directory}; then
            ln -s ${directory}/root.squashfs ${store}
          else
            echo "stage 1: no Nix store; restarting in 10 s"
            sleep 10
            reboot -f
          fi
        '';
      })
      (lib.mkIf isSystemd {
        systemd = {
          # One identity for DHCP, as in stage 2.
          network.networks."10-boot" = {
            matchConfig.Type = "ether";
            networkConfig.DHCP = "ipv4";
            dhcpV4Config.ClientIdentifier = "mac";
          };
          extraBin.busybox = "${pkgs.busybox}/bin/busybox";
          storePaths = [ "${fetch}" ];
          services.pilotlight-store = {
            description = "Fetch the Nix Store That Pilotlight's Boot Script Names";
            wants = [ "network-online.target" ];
            after = [ "network-online.target" ];
            requiredBy = [ "sysroot-nix-.ro\\x2dstore.mount" ];
            before = [ "sysroot-nix-.ro\\x2dstore.mount" ];
            unitConfig = {
              DefaultDependencies = false;
              # The boot script may name another image by then.
              FailureAction = "reboot-force";
            };
            serviceConfig = {
              Type = "oneshot";
              RemainAfterExit = true;
              StandardOutput = "journal+console";
              StandardError = "journal+console";
              # A store of any size on any link; the script itself hangs up what does not move.
              TimeoutStartSec = "infinity";
              ExecStart = "/bin/busybox sh ${fetch} ${directory}";
              ExecStartPost = "/bin/busybox ln -sf ${directory}/root.squashfs ${store}";
            };
          };
        };
      })
    ];

    # What `pilotlight image import` takes.
    system.build.pilotlightImage = pkgs.runCommand "pilotlight-image" { } ''
      mkdir $out
      ln -s ${config.system.build.kernel}/${config.system.boot.loader.kernelFile} $out/
      ln -s ${config.system.build.initialRamdisk}/${config.system.boot.loader.initrdFile} $out/initrd
      ln -s ${config.system.build.squashfsStore} $out/nix-store.squashfs
      ln -s ${config.system.build.netbootIpxeScript}/netboot.ipxe $out/netboot.ipxe
    '';
  };
}
