# As much of a NixOS `lib` as the modules of boot-assets/nixos use, written for these tests: options with types that are
# checked, mkIf, mkMerge, mkDefault, and modules that are merged. It is not nixpkgs, and passing here is not a NixOS build.
let
  inherit (builtins)
    all attrNames attrValues concatMap elem filter foldl' head isAttrs isBool isFunction isInt isList isString listToAttrs map
    mapAttrs;

  optionType = name: check: { _type = "option-type"; inherit name check; };
  types = {
    bool = optionType "bool" isBool;
    str = optionType "str" isString;
    int = optionType "int" isInt;
    attrs = optionType "attrs" isAttrs;
    package = optionType "package" (value: isString value || isAttrs value);
    enum = values: optionType "enum" (value: elem value values);
    attrsOf = inner: optionType "attrsOf ${inner.name}" (value: isAttrs value && all inner.check (attrValues value));
    listOf = inner: optionType "listOf ${inner.name}" (value: isList value && all inner.check value);
  };

  tagged = tag: value: isAttrs value && (value._type or null) == tag;
  # Plain definitions with their priority, conditions and merges taken apart.
  plain = value:
    if tagged "if" value then (if value.condition then plain value.content else [ ])
    else if tagged "merge" value then concatMap plain value.contents
    else if tagged "override" value then map (each: each // { inherit (value) priority; }) (plain value.content)
    else [ { priority = 100; inherit value; } ];

  merge = place: definitions:
    let
      found = concatMap plain definitions;
      strongest = foldl' (least: each: if each.priority < least then each.priority else least) 10000 found;
      values = map (each: each.value) (filter (each: each.priority == strongest) found);
      names = attrNames (foldl' (left: right: left // right) { } values);
      # A name whose every definition is off is not there at all.
      isOn = name: concatMap plain (below name values) != [ ];
    in
    if all isAttrs values then
      listToAttrs (map (name: { inherit name; value = merge "${place}.${name}" (below name values); }) (filter isOn names))
    else if all isList values then concatMap (value: value) values
    else if all (value: value == head values) values then head values
    else throw "conflicting definitions of ${place}";

  below = name: values: concatMap (value: if isAttrs value && value ? ${name} then [ value.${name} ] else [ ]) values;

  # One name down, through conditions that are not asked yet: what is defined may depend on the outcome.
  descend = name: value:
    if tagged "merge" value then concatMap (descend name) value.contents
    else if tagged "if" value || tagged "override" value then map (content: value // { inherit content; }) (descend name value.content)
    else if isAttrs value && value ? ${name} then [ value.${name} ]
    else [ ];
  namesIn = value:
    if tagged "merge" value then concatMap namesIn value.contents
    else if tagged "if" value || tagged "override" value then namesIn value.content
    else attrNames value;

  evaluate = place: option: definitions:
    if tagged "option" option then
      let
        isSet = concatMap plain definitions != [ ];
        value = if isSet then merge place definitions
          else option.default or (throw "option ${place} is used and not defined");
      in
      if option.type.check value then value else throw "option ${place} is not of type ${option.type.name}"
    else mapAttrs (name: inner: evaluate "${place}.${name}" inner (concatMap (descend name) definitions)) option;

  undeclared = place: option: definitions:
    if tagged "option" option then [ ]
    else concatMap
      (definition: concatMap
        (name: if option ? ${name} then undeclared "${place}.${name}" option.${name} (descend name definition) else [ "${place}.${name}" ])
        (namesIn definition))
      definitions;

  deep = left: right: left // mapAttrs
    (name: value: if left ? ${name} && isAttrs value && isAttrs left.${name} && !(tagged "option" value) then deep left.${name} value else value)
    right;

  lib = rec {
    inherit types elem;
    mkOption = option: option // { _type = "option"; };
    mkEnableOption = description: mkOption { type = types.bool; default = false; inherit description; };
    mkIf = condition: content: { _type = "if"; inherit condition content; };
    mkMerge = contents: { _type = "merge"; inherit contents; };
    mkOverride = priority: content: { _type = "override"; inherit priority content; };
    mkDefault = mkOverride 1000;
    nameValuePair = name: value: { inherit name value; };
    mapAttrs' = make: set: listToAttrs (map (name: make name set.${name}) (attrNames set));
    genAttrs = names: make: listToAttrs (map (name: { inherit name; value = make name; }) names);
  };
in
lib // {
  # `open`: what NixOS itself declares, taken as it comes.
  evalModules = { modules, specialArgs, open }:
    let
      call = module: if isFunction module then module ({ inherit lib config; } // specialArgs) else module;
      called = map (module: let m = call module; in if m ? options || m ? config then m else { config = m; }) modules;
      declared = foldl' deep open (map (m: m.options or { }) called);
      definitions = map (m: m.config or { }) called;
      wrong = undeclared "config" declared definitions;
      config = if wrong == [ ] then evaluate "config" declared definitions
        else throw "undeclared options: ${builtins.concatStringsSep ", " wrong}";
    in
    config;
}
