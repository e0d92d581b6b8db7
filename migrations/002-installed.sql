-- When the machine said in this boot that its system is on its disk (install mode); NULL: it never did.
ALTER TABLE boot_attempt ADD COLUMN installed_at_ms INTEGER;
