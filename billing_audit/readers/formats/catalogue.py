"""The named formats: name → import path, tried in this order; a file that none claims is read by its headers."""

FORMATS: dict[str, str] = {
    "asterisk": "billing_audit.readers.formats.asterisk",
    "freeswitch-rows": "billing_audit.readers.formats.freeswitch_rows",  # before freeswitch-csv, which would take its files for calls
    "freeswitch-csv": "billing_audit.readers.formats.freeswitch_csv",
    "freeswitch-json": "billing_audit.readers.formats.freeswitch_json",
    "freeswitch-xml": "billing_audit.readers.formats.freeswitch_xml",
    "acc": "billing_audit.readers.formats.acc",
    "kamailio-cdrs": "billing_audit.readers.formats.kamailio_cdrs",
    "cisco-cucm": "billing_audit.readers.formats.cucm",
    "cisco-cube": "billing_audit.readers.formats.cube",
    "radius-detail": "billing_audit.readers.formats.radius_detail",
    "oracle-sbc": "billing_audit.readers.formats.acme",
    "sonus": "billing_audit.readers.formats.sonus",
    "vos3000-table": "billing_audit.readers.formats.vos_table",
    "vos3000-export": "billing_audit.readers.formats.vos_export",
    "vos3000-json": "billing_audit.readers.formats.vos_json",
    "cgrates": "billing_audit.readers.formats.cgrates",
    "portaswitch": "billing_audit.readers.formats.portaswitch",
    "sippy": "billing_audit.readers.formats.sippy",
    "jerasoft": "billing_audit.readers.formats.jerasoft",
    "cdr-stats": "billing_audit.readers.formats.cdr_stats",
}
