# An example: a netboot image of a machine that Pilotlight provisions, and the command that brings it to the server.
#
#   nix build .#netboot && pilotlight image import ./result --name control-plane
#
# `plasmacloud` stands for wherever the packages and modules of the nine services come from.
{
  description = "A PlasmaCloud machine, provisioned by Pilotlight";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    plasmacloud.url = "path:./plasmacloud";
    pilotlight = {
      url = "path:../..";
      flake = false;
    };
  };

  outputs = { self, nixpkgs, plasmacloud, pilotlight }:
    let
      system = "x86_64-linux";
      pkgs = nixpkgs.legacyPackages.${system};
      machine = nixpkgs.lib.nixosSystem {
        inherit system;
        modules = [
          "${nixpkgs}/nixos/modules/installer/netboot/netboot-minimal.nix"
          "${pilotlight}/boot-assets/nixos/first-boot.nix"
          plasmacloud.nixosModules.default
          {
            services.pilotlight-first-boot = {
              enable = true;
              services = [ "chainfire" "flaredb" "iam" ];
            };
            # The address that the loader had must be the system's too: one identity for DHCP, the MAC.
            networking.useNetworkd = true;
            systemd.network.networks."10-boot" = {
              matchConfig.Type = "ether";
              networkConfig.DHCP = "ipv4";
              dhcpV4Config.ClientIdentifier = "mac";
            };
            boot.kernelParams = [ "console=ttyS0" ];
          }
        ];
      };
      build = machine.config.system.build;
      # The same with the store beside the initrd, for machines with little RAM or images that are large.
      separate = machine.extendModules {
        modules = [
          "${pilotlight}/boot-assets/nixos/separate-store.nix"
          { services.pilotlight-separate-store.enable = true; }
        ];
      };
    in
    {
      packages.${system} = {
        # The three files that `pilotlight image import` takes.
        netboot = pkgs.runCommand "pilotlight-netboot" { } ''
          mkdir $out
          cp ${build.kernel}/bzImage $out/bzImage
          cp ${build.netbootRamdisk}/initrd $out/initrd
          cp ${build.netbootIpxeScript}/netboot.ipxe $out/netboot.ipxe
        '';
        netboot-separate = separate.config.system.build.pilotlightImage;
      };
      nixosModules = {
        first-boot = import "${pilotlight}/boot-assets/nixos/first-boot.nix";
        separate-store = import "${pilotlight}/boot-assets/nixos/separate-store.nix";
        server = import "${pilotlight}/boot-assets/nixos/server.nix";
      };
    };
}
