# The first boot of a machine that Pilotlight provisions: the unit that takes its configuration, the four steps, and what
# orders the services of the cluster between them. For images; the services themselves come from their own modules, or
# from `pilotlight.services` here.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.pilotlight-first-boot;

  scripts = pkgs.runCommand "pilotlight-first-boot" { } ''
    install -Dm755 -t $out ${../first-boot}/*.sh
    install -Dm644 -t $out ${../first-boot}/health-checks.json
    patchShebangs $out
  '';

  # What the scripts call beside the shell.
  tools = [ pkgs.coreutils pkgs.curl pkgs.gnugrep pkgs.gnused pkgs.jq ];

  step = { description, after, requires ? [ ], wants ? [ ], before ? [ ], command }: {
    inherit description after requires wants before;
    wantedBy = [ "multi-user.target" ];
    path = tools;
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      ExecStart = "${scripts}/${command}";
      Restart = "on-failure";
      RestartSec = "10s";
      # Another boot of this machine is current: trying again would not help.
      RestartPreventExitStatus = 3;
    };
  };

  # In first boot a service starts once the configuration is there and names it, and after the join before it.
  waitsFor = {
    flaredb = [ "chainfire-cluster-join.service" ];
    iam = [ "flaredb-cluster-join.service" ];
  };
  ordered = name: {
    after = [ "pilotlight-config.service" ] ++ (waitsFor.${name} or [ ]);
    requires = [ "pilotlight-config.service" ];
    unitConfig.ConditionPathExists = "/run/pilotlight/services/${name}";
    path = lib.mkIf (lib.elem name checkedData) tools;
    serviceConfig.ExecStartPre = lib.mkIf (lib.elem name checkedData) [ "+${scripts}/check-data.sh --service ${name}" ];
  };
  checkedData = [ "chainfire" "flaredb" ];
in
{
  options.services.pilotlight-first-boot = {
    enable = lib.mkEnableOption "the first boot of a machine that Pilotlight provisions";
    services = lib.mkOption {
      type = lib.types.listOf (lib.types.enum [
        "chainfire" "flaredb" "iam" "plasmavmc" "prismnet" "flashdns" "fiberlb" "lightningstor" "k8shost"
      ]);
      default = [ "chainfire" "flaredb" "iam" ];
      description = ''
        The services of the cluster that this image holds. Which of them a machine runs is in its configuration; one that
        is not of its role does not start.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    systemd.services = lib.mkMerge [
      (lib.genAttrs cfg.services ordered)
      {
        pilotlight-config = step {
          description = "Take this machine's cluster-config.json from Pilotlight (First Boot)";
          after = [ "network-online.target" ];
          wants = [ "network-online.target" ];
          before = [ "chainfire.service" ];
          command = "fetch-config.sh";
        };
        chainfire-cluster-join = step {
          description = "Chainfire Cluster Join (First Boot)";
          after = [ "pilotlight-config.service" "chainfire.service" ];
          requires = [ "chainfire.service" ];
          before = [ "flaredb-cluster-join.service" ];
          command = "cluster-join.sh --service chainfire";
        };
        flaredb-cluster-join = step {
          description = "FlareDB Cluster Join (First Boot)";
          after = [ "chainfire-cluster-join.service" "flaredb.service" ];
          requires = [ "flaredb.service" ];
          before = [ "iam-initial-setup.service" ];
          command = "cluster-join.sh --service flaredb";
        };
        iam-initial-setup = step {
          description = "IAM Initial Setup (First Boot)";
          after = [ "flaredb-cluster-join.service" "iam.service" ];
          wants = [ "iam.service" ];
          before = [ "cluster-health-check.service" ];
          command = "iam-initial-setup.sh";
        };
        cluster-health-check = step {
          description = "Cluster Health Check (First Boot)";
          after = [ "pilotlight-config.service" "iam-initial-setup.service" ];
          command = "cluster-health-check.sh";
        };
      }
    ];
  };
}
