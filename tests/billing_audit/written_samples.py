"""Small bills in every named format, written for these tests, with the records that each must give: text → fields as the format writes them."""

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sample:
    """A file: its format, its text, the records expected (only the fields named are compared), lines folded, (line, reason) refused, notes."""

    format: str
    case: str
    text: str
    records: tuple[dict[str, str], ...]
    folded: tuple[int, ...] = ()
    refused: tuple[tuple[int, str], ...] = ()
    notes: tuple[str, ...] = ()
    layout: dict[str, object] = field(default_factory=dict)


def row(width: int, **values: str) -> list[str]:
    """Return a row of `width` columns with values at _index."""
    made = [""] * width
    for place, value in values.items():
        made[int(place.removeprefix("_"))] = value
    return made


def lines(*rows: list[str], delimiter: str = ",") -> str:
    """Return rows as lines, every value quoted that is not a number."""
    return "".join(delimiter.join(v if v == "" or v.isdecimal() else f'"{v}"' for v in made) + "\n" for made in rows)


ASTERISK = Sample(
    "asterisk",
    "cdr_csv with uniqueid",
    '"acme","2125550101","8613800138000","from-acme","""Bob"" <2125550101>","PJSIP/acme-00000001","PJSIP/up-00000002","Dial","PJSIP/8613800138000@up,60",'
    '"2026-10-01 08:00:00","2026-10-01 08:00:07","2026-10-01 08:01:10",70,63,"ANSWERED","DOCUMENTATION","1790812800.1",""\n'
    '"acme","2125550102","442079460000","from-acme","2125550102","PJSIP/acme-00000003","","Dial","PJSIP/442079460000@up,60",'
    '"2026-10-01 08:02:00",,"2026-10-01 08:02:30",30,0,"NO ANSWER","DOCUMENTATION","1790812920.3",""\n'
    '"acme","2125550102","442079460000","from-acme","2125550102","PJSIP/acme-00000005","","Dial","PJSIP/442079460000@up,60",'
    '"2026-10-01 08:03:00","2026-10-01 08:03:09","2026-10-01 08:03:10",10,1,"ANSWERED","DOCUMENTATION","1790812980.5","vip, gold"\n',
    (
        {
            "id": "1790812800.1", "account": "acme", "caller": "2125550101", "callee": "8613800138000", "start": "2026-10-01 08:00:00",
            "answer": "2026-10-01 08:00:07", "end": "2026-10-01 08:01:10", "total": "70", "duration": "63", "answered": "ANSWERED",
        },
        {"callee": "442079460000", "start": "2026-10-01 08:02:00", "answer": "", "duration": "0", "answered": "NO ANSWER"},
        {"id": "1790812980.5", "answer": "2026-10-01 08:03:09", "duration": "1"},
    ),
)  # fmt: skip
ASTERISK_PLAIN = Sample(
    "asterisk",
    "cdr_csv without uniqueid, a quoted line break in the user field's place",
    '"","101","8613800138001","internal","101","SIP/101-1","SIP/up-2","Dial","SIP/up","2026-10-01 09:00:00","2026-10-01 09:00:02",'
    '"2026-10-01 09:00:12",12,10,"ANSWERED","BILLING"\n',
    ({"caller": "101", "callee": "8613800138001", "account": "", "duration": "10", "id": ""},),
)
ASTERISK_CUSTOM = Sample(
    "asterisk",
    "cdr_custom, account behind amaflags",
    '"""Ann"" <101>","101","8613800138002","default","PJSIP/101-1","PJSIP/up-2","Dial","PJSIP/up","2026-10-01 10:00:00","2026-10-01 10:00:04",'
    '"2026-10-01 10:00:34","34","30","ANSWERED","DOCUMENTATION","team","1790820000.7","",7\n'
    '"""Ann"" <101>","101","8613800138002","default","PJSIP/101-3","","Dial","PJSIP/up","2026-10-01 10:05:00","",'
    '"2026-10-01 10:05:09","9","0","BUSY","DOCUMENTATION","team","1790820300.8","",9\n',
    (
        {"account": "team", "id": "1790820000.7", "caller": "101", "callee": "8613800138002", "duration": "30", "total": "34"},
        {"account": "team", "answer": "", "duration": "0", "answered": "BUSY"},
    ),
)
A_LEG, B_LEG = "0b7a1c52-0001-11f1-8000-0a1b2c3d4e5f", "0b7a1c52-0002-11f1-8000-0a1b2c3d4e5f"
C_LEG, D_LEG = "0b7a1c52-0003-11f1-8000-0a1b2c3d4e5f", "0b7a1c52-0004-11f1-8000-0a1b2c3d4e5f"


def switch_row(
    uuid: str, leg: str = "", callee: str = "8613800138000", talk: str = "63", cause: str = "NORMAL_CLEARING", account: str = '"a1"'
) -> str:
    """Return a row of FreeSWITCH's template `example`."""
    answer = '"2026-10-01 08:00:07"' if talk != "0" else '""'
    return (
        f'"Bob","2125550101","{callee}","public","2026-10-01 08:00:00",{answer},"2026-10-01 08:01:10","70","{talk}","{cause}","{uuid}","{leg}",'
        f'{account},"PCMA","PCMA"\n'
    )


FREESWITCH = Sample(
    "freeswitch-csv",
    "template example, one leg",
    switch_row(A_LEG, B_LEG) + switch_row(C_LEG, talk="0", cause="NO_ANSWER"),
    (
        {
            "id": A_LEG, "caller": "2125550101", "callee": "8613800138000", "start": "2026-10-01 08:00:00", "answer": "2026-10-01 08:00:07",
            "end": "2026-10-01 08:01:10", "total": "70", "duration": "63", "account": "a1",
        },
        {"id": C_LEG, "answer": "", "duration": "0"},
    ),
)  # fmt: skip
FREESWITCH_LIKE_ASTERISK = Sample(
    "freeswitch-csv",
    "template asterisk",
    f'"a1","2125550101","8613800138000","public","Bob","sofia/a/1","sofia/b/2","bridge","sofia/b","2026-10-01 08:00:00","2026-10-01 08:00:07",'
    f'"2026-10-01 08:01:10","70","63","NORMAL_CLEARING","DOCUMENTATION","{A_LEG}",""\n',
    ({"id": A_LEG, "account": "a1", "caller": "2125550101", "callee": "8613800138000", "duration": "63"},),
)
FREESWITCH_OPENCDRRATE = Sample(
    "freeswitch-csv",
    "template opencdrrate",
    f'"{A_LEG}","{B_LEG}","inbound","2125550101","8613800138000","2026-10-01 08:00:07","2026-10-01 08:01:10","63","a1","","192.0.2.1","Bob","up1"\n',
    (
        {
            "id": A_LEG,
            "caller": "2125550101",
            "callee": "8613800138000",
            "answer": "2026-10-01 08:00:07",
            "duration": "63",
            "gateway": "up1",
        },
    ),
)
FREESWITCH_LEGS = Sample(
    "freeswitch-rows",
    "both legs: before and behind their call",
    switch_row(A_LEG, B_LEG)
    + switch_row(B_LEG)
    + switch_row(D_LEG, callee="442079460000")
    + switch_row(C_LEG, D_LEG, callee="442079460000"),
    ({"id": A_LEG, "duration": "63", "account": "a1"}, {"id": C_LEG, "callee": "442079460000"}),
    folded=(2, 3),
    notes=("audit.note.second-leg",),
)
FREESWITCH_SQL = Sample(
    "freeswitch-rows",
    "template sql",
    f'INSERT INTO cdr VALUES ("Bob","2125550101","8613800138000","public","2026-10-01 08:00:00","2026-10-01 08:00:07","2026-10-01 08:01:10","70","63",'
    f'"NORMAL_CLEARING","{A_LEG}","{B_LEG}", "a1");\n',
    ({"id": A_LEG, "caller": "2125550101", "account": "a1", "duration": "63"},),
)
FREESWITCH_OLD = Sample(
    "freeswitch-rows",
    "a space before the quoted account",
    switch_row(A_LEG, account=' "a1"'),
    ({"id": A_LEG, "account": "a1"},),
)


def document(uuid: str, **more: str) -> dict[str, object]:
    """Return a FreeSWITCH JSON document."""
    variables = {
        "uuid": uuid, "direction": "inbound", "start_epoch": "1790812800", "start_uepoch": "1790812800100200", "answer_epoch": "1790812807",
        "answer_uepoch": "1790812807300400", "end_epoch": "1790812870", "end_uepoch": "1790812870500600", "duration": "70", "billsec": "63",
        "uduration": "70400400", "billusec": "63200200", "accountcode": "a1", "note": 'a "brace" } in \\ a text',
    }  # fmt: skip
    variables.update(more)
    profile = {"caller_id_number": "2125550101", "destination_number": "8613800138000", "times": {"deep": [1, {"x": 2}]}}
    return {"core-uuid": "c", "channel_data": {}, "variables": variables, "callflow": [{"caller_profile": profile}, {"caller_profile": {}}]}


JSON_RECORD = {
    "id": A_LEG, "caller": "2125550101", "callee": "8613800138000", "start": "1790812800100", "answer": "1790812807300",
    "end": "1790812870500", "duration": "63200", "total": "70400", "account": "a1", "answered": "yes",
}  # fmt: skip
UNANSWERED = document(C_LEG, answer_epoch="0", answer_uepoch="0", billsec="0", billusec="0")
LEG = document(B_LEG, direction="outbound", originating_leg_uuid=A_LEG)
ALONE = document(D_LEG, direction="outbound", originating_leg_uuid="0b7a1c52-0009-11f1-8000-0a1b2c3d4e5f")
JSON_ONE = Sample("freeswitch-json", "one document, indented", json.dumps(document(A_LEG), indent=1), (JSON_RECORD,))
JSON_LINES = Sample(
    "freeswitch-json",
    "one a line, a leg before its call, a leg without its call",
    "".join(json.dumps(made) + "\n" for made in (LEG, document(A_LEG), UNANSWERED, ALONE)),
    (JSON_RECORD, {"id": C_LEG, "answer": "", "duration": "0", "answered": "no"}, {"id": D_LEG}),
    folded=(1,),
    notes=("audit.note.second-leg", "audit.note.leg-alone"),
)
JSON_ARRAY = Sample(
    "freeswitch-json",
    "an array, indented",
    json.dumps([document(A_LEG), UNANSWERED], indent=1),
    (JSON_RECORD, {"id": C_LEG}),
)
JSON_ROW = Sample(
    "freeswitch-json",
    "an array in one line",
    json.dumps([document(A_LEG), LEG, UNANSWERED]),
    (JSON_RECORD, {"id": C_LEG}),
    folded=(2,),
)


def xml(uuid: str, **more: str) -> str:
    """Return a FreeSWITCH XML document, values URL-encoded as mod_xml_cdr does."""
    told = {
        "uuid": uuid, "direction": "inbound", "start_epoch": "1790812800", "answer_epoch": "1790812807", "end_epoch": "1790812870",
        "duration": "70", "billsec": "63", "billmsec": "63200", "accountcode": "a%201",
    }  # fmt: skip
    told.update(more)
    variables = "".join(f"<{name}>{value}</{name}>" for name, value in told.items())
    profile = "<caller_id_number>2125550101</caller_id_number><destination_number>%2B8613800138000</destination_number>"
    flow = f'<callflow profile_index="1"><caller_profile>{profile}</caller_profile></callflow>'
    return f'<?xml version="1.0"?>\n<cdr core-uuid="c"><variables>{variables}</variables>{flow}</cdr>\n'


XML_RECORD = {
    "id": A_LEG, "caller": "2125550101", "callee": "+8613800138000", "start": "1790812800000", "answer": "1790812807000",
    "end": "1790812870000", "duration": "63200", "total": "70000", "account": "a 1", "answered": "yes",
}  # fmt: skip
XML_MANY = Sample(
    "freeswitch-xml",
    "documents in a row, a leg, and one with a DOCTYPE",
    xml(A_LEG)
    + xml(B_LEG, direction="outbound", originating_leg_uuid=A_LEG)
    + '<!DOCTYPE cdr [<!ENTITY e "x">]>'
    + xml(D_LEG)
    + xml(C_LEG, answer_epoch="0", billsec="0", billmsec="0"),
    (XML_RECORD, {"id": C_LEG, "answer": ""}),
    folded=(4,),
    refused=((6, "xml-entities"),),
)
XML_WRAPPED = Sample(
    "freeswitch-xml",
    "in an outer element, in one line",
    "<cdrs>" + (xml(A_LEG) + xml(C_LEG)).replace('<?xml version="1.0"?>', "").replace("\n", "") + "</cdrs>",
    (XML_RECORD, {"id": C_LEG}),
)
ACC_FLAT = Sample(
    "acc",
    "flatstore: pairs, a BYE of the other side, a failed call, a call without BYE, a BYE alone",
    "INVITE|t1|u1|c1|200|OK|1790812807|2125550101|8613800138000\n"
    "ACK|t1|u1|c1|200|OK|1790812807||\n"
    "INVITE|t2|u2|c2|486|Busy here|1790812810|2125550102|442079460000\n"
    "INVITE|t1|u1|c1|200|OK|1790812820|2125550101|8613800138000\n"
    "INVITE|t3|u3|c3|200|OK|1790812830|2125550103|442079460001\n"
    "BYE|u1|t1|c1|200|OK|1790812870||\n"
    "BYE|t1|u1|c1|408|Timeout|1790812871||\n"
    "BYE|t9|u9|c9|200|OK|1790812872||\n",
    (
        {"id": "c2", "start": "1790812810", "answer": "", "duration": "0", "answered": "486"},
        {"id": "c1", "caller": "2125550101", "callee": "8613800138000", "answer": "1790812807", "end": "1790812870", "answered": "200"},
        {"id": "c3", "answer": "1790812830", "end": "", "duration": "", "answered": "200"},
    ),
    folded=(2, 4, 6, 7),
    refused=((8, "bye-alone"),),
    notes=("audit.note.acc-sequel", "audit.note.acc-bye", "audit.note.acc-open"),
)
ACC_TABLE = Sample(
    "acc",
    "dump of the table with titles, the BYE before its INVITE",
    "id,method,from_tag,to_tag,callid,sip_code,sip_reason,time,src_user,src_ip,dst_user\n"
    "1,BYE,t1,u1,c1,200,OK,2026-10-01 08:01:10,,192.0.2.1,\n"
    "2,INVITE,t1,u1,c1,200,OK,2026-10-01 08:00:07,2125550101,192.0.2.1,8613800138000\n"
    "3,CANCEL,t4,,c4,200,OK,2026-10-01 08:00:09,2125550101,192.0.2.1,8613800138000\n",
    ({"id": "c1", "caller": "2125550101", "callee": "8613800138000", "answer": "2026-10-01 08:00:07", "end": "2026-10-01 08:01:10"},),
    folded=(2, 4),
)
ACC_WHOLE = Sample(
    "acc",
    "OpenSIPS, a row is a whole call",
    "id,method,from_tag,to_tag,callid,sip_code,sip_reason,time,caller_id,callee_id,duration,ms_duration,setuptime,created\n"
    "1,INVITE,t1,u1,c1,200,OK,2026-10-01 08:01:10,2125550101,sip:8613800138000@192.0.2.1,63,63200,7,2026-10-01 08:00:00\n"
    "2,INVITE,t2,u2,c2,486,Busy,2026-10-01 08:02:00,2125550101,sip:8613800138000@192.0.2.1,0,0,0,\n",
    (
        {"id": "c1", "callee": "8613800138000", "start": "2026-10-01 08:00:00", "total": "70", "duration": "63", "answered": "200"},
        {"id": "c2", "start": "2026-10-01 08:02:00", "duration": "0", "answered": "486"},
    ),
)
ACC_PORT = Sample(
    "acc",
    "a port among the extra columns",
    "".join(
        f"INVITE|t{n}|u{n}|c{n}|200|OK|179081280{n}|2125550101|5060|861380013800{n}\nBYE|t{n}|u{n}|c{n}|200|OK|179081281{n}|||\n"
        for n in range(3)
    ),
    tuple({"id": f"c{n}", "caller": "2125550101", "callee": f"861380013800{n}"} for n in range(3)),
    folded=(2, 4, 6),
)
KAMAILIO_CDRS = Sample(
    "kamailio-cdrs",
    "dump of the table",
    "cdr_id,src_username,src_domain,dst_username,dst_domain,dst_ousername,call_start_time,duration,sip_call_id,src_ip,cost,rated,created\n"
    "1,2125550101,h,x,h,8613800138000,2026-10-01 08:00:07,63,c1,192.0.2.1,0,0,2026-10-01 08:01:20\n",
    ({"id": "c1", "caller": "2125550101", "callee": "8613800138000", "answer": "2026-10-01 08:00:07", "duration": "63", "charge": ""},),
)
KAMAILIO_MODULE = Sample(
    "kamailio-cdrs",
    "table of acc's cdr_enable",
    "id,start_time,end_time,duration,src_user,dst_user,callid\n"
    "1,2026-10-01 08:00:07.300,2026-10-01 08:01:10.500,63.200,2125550101,8613800138000,c1\n",
    ({"caller": "2125550101", "callee": "8613800138000", "end": "2026-10-01 08:01:10.500", "duration": "63.200"},),
)
CUCM_TITLES = (
    "cdrRecordType,globalCallID_callManagerId,globalCallID_callId,origLegCallIdentifier,dateTimeOrigination,callingPartyNumber,"
    "originalCalledPartyNumber,finalCalledPartyNumber,dateTimeConnect,dateTimeDisconnect,pkid,duration,origDeviceName,destDeviceName"
)
CUCM = Sample(
    "cisco-cucm",
    "titles and types, a transferred call in two parts, another leg, an unconnected call, a quality record",
    CUCM_TITLES + "\n" + ",".join(["INTEGER"] * 5 + ["VARCHAR(50)"] * 9) + ",,,,,,,\n"
    '1,1,700,21,1790812800,"2125550101","8613800138000","8613800138000",1790812807,1790812837,"p1",30,"SEP1","GW1"\n'
    '1,1,700,23,1790812838,"8613800138000","442079460000","442079460000",1790812839,1790812849,"p2",10,"GW1","GW2"\n'
    '1,1,700,21,1790812837,"2125550101","442079460000","442079460000",1790812838,1790812870,"p3",32,"SEP1","GW2"\n'
    '1,1,701,30,1790812900,"2125550102","","442079460009",0,1790812910,"p4",0,"SEP2","GW1"\n'
    '2,1,700,21,1790812900,"x","","",0,0,"p5",0,"",""\n',
    (
        {
            "id": "p1", "caller": "2125550101", "callee": "8613800138000", "start": "1790812800", "answer": "1790812807", "end": "1790812870",
            "duration": "62", "gateway": "GW1", "parts": "2",
        },
        {"id": "p2", "duration": "10", "parts": "1"},
        {"id": "p4", "callee": "442079460009", "answer": "0", "duration": "0"},
    ),
    folded=(5, 7),
    notes=("audit.note.cucm-part", "audit.note.cucm-legs", "audit.note.cucm-quality"),
)  # fmt: skip
CUCM_BARE = Sample(
    "cisco-cucm",
    "types instead of titles",
    ",".join(["INTEGER"] * 58)
    + "\n"
    + ",".join(
        row(58, _0="1", _1="1", _2="700", _3="21", _4="1790812800", _8="2125550101", _29="8613800138000", _47="1790812807", _48="1790812870",
            _50="p1", _55="63", _57="GW1")
    )
    + "\n",
    ({"id": "p1", "caller": "2125550101", "callee": "8613800138000", "answer": "1790812807", "duration": "63", "gateway": "GW1"},),
)  # fmt: skip
CONFERENCE = "3594DAE1 AA1211DB 8055C5E1 3EB1DEBC"


def cube(
    epoch: int, origin: str, clock: str = "", zone: str = "UTC", conference: str = CONFERENCE, connect: str = "08:00:07.300"
) -> list[str]:
    """Return a leg of a call from 08:00:00.100 to 08:01:10.500 in the zone."""
    day = f"{zone} Thu Oct 01 2026"
    return row(
        130, _0=str(epoch), _1="72", _2="0", _3="2", _4=conference, _5="8613800138000" if origin == "1" else "2125550101",
        _7=f"{clock}08:00:00.100 {day}", _9=f"{clock}{connect} {day}", _10=f"{clock}08:01:10.500 {day}", _11="10", _13=origin,
        _21="2125550101", _22="8613800138000", _26="100", _81="TRUNK-OUT", _84="TRUNK-IN",
    )  # fmt: skip


OTHER = "0000DAE1 AA1211DB 8055C5E1 3EB1DEBC"
CUBE = Sample(
    "cisco-cube",
    "two legs and a feature record, a leg alone with an unsynchronised clock in a zone that its epoch proves, an unanswered one",
    lines(
        cube(1790841670, "1"),
        cube(1790841670, "2"),
        cube(1790841671, "2"),
        cube(1790812870, "1", "*", "CST", OTHER),
        cube(1790841670, "2", ".", "UTC", "1111DAE1 AA1211DB 8055C5E1 3EB1DEBC", "08:01:10.500"),
    ),
    (
        {
            "caller": "2125550101", "callee": "8613800138000", "start": "2026-10-01 08:00:00.100Z", "answer": "2026-10-01 08:00:07.300Z",
            "end": "2026-10-01 08:01:10.500Z", "gateway": "TRUNK-OUT", "id": CONFERENCE,
        },
        {"id": OTHER, "start": "2026-10-01 00:00:00.100Z", "gateway": "TRUNK-OUT"},
        {"answer": "", "duration": "0", "gateway": "TRUNK-IN"},
    ),
    folded=(1, 3),
    notes=("audit.note.second-leg", "audit.note.leg-feature", "audit.note.leg-alone", "audit.note.clock-unsynchronised"),
)  # fmt: skip


def packet(status: str, origin: str = "answer", session: str = "0001", conference: str = CONFERENCE) -> str:
    """Return an accounting packet as FreeRADIUS writes it."""
    return (
        "Thu Oct  1 08:01:10 2026\n"
        f'\tAcct-Status-Type = {status}\n\tAcct-Session-Id = "{session}"\n\tCalling-Station-Id = "2125550101"\n\tCalled-Station-Id = "8613800138000"\n'
        f'\th323-conf-id = "h323-conf-id={conference}"\n\tCisco-AVPair = "h323-call-origin={origin}"\n'
        '\th323-setup-time = "h323-setup-time=.08:00:00.100 UTC Thu Oct 1 2026"\n'
        '\th323-connect-time = "h323-connect-time=.08:00:07.300 UTC Thu Oct 1 2026"\n'
        '\th323-disconnect-time = "h323-disconnect-time=.08:01:10.500 UTC Thu Oct 1 2026"\n'
        '\tAcct-Session-Time = 63\n\tNAS-IP-Address = 192.0.2.7\n\tUser-Name = "acme"\n\tTimestamp = 1790841670\n\n'
    )


RADIUS = Sample(
    "radius-detail",
    "start, interim and stop of two legs; a Stop of RFC 2866 alone",
    packet("Start")
    + packet("Interim-Update")
    + packet("Stop")
    + packet("Stop", "originate", "0002")
    + "Thu Oct  1 08:02:00 2026\n\tAcct-Status-Type = Stop\n\tAcct-Session-Id = \"9\"\n\tCalling-Station-Id = \"1\"\n\tCalled-Station-Id = \"2\"\n"
    "\tAcct-Session-Time = 30\n\tTimestamp = 1790841720\n",
    (
        {
            "id": "0001", "caller": "2125550101", "callee": "8613800138000", "start": "2026-10-01 08:00:00.100Z", "duration": "63",
            "answer": "2026-10-01 08:00:07.300Z", "end": "2026-10-01 08:01:10.500Z", "account": "acme", "gateway": "192.0.2.7",
        },
        {"id": "9", "answer": "2026-10-01 08:01:30Z", "end": "2026-10-01 08:02:00Z", "duration": "30"},
    ),
    folded=(2, 17, 47),
    notes=("audit.note.interim", "audit.note.second-leg", "audit.note.clock-unsynchronised", "audit.note.leg-alone"),
)  # fmt: skip


def acme(status: str, zone: str = "UTC", forked: bool = True) -> list[str]:
    """Return a local CDR of an Oracle SBC; before release 8 two columns fewer stand before the numbers."""
    before = [status, "192.0.2.9", "4", "SDsession1", "in@192.0.2.1", "out@192.0.2.2", "SIP"] + (["fork", "generic"] if forked else [])
    numbers = ['"Bob"<sip:2125550101@192.0.2.1>;tag=1'.replace('"', ""), "<sip:8613800138000@192.0.2.9>"]
    if status != "2":
        return [
            *before,
            *numbers,
            f"08:00:00.100 {zone} OCT 01 2026",
            f"08:00:07.300 {zone} OCT 01 2026",
            "M10",
            "0",
            "M00",
            "0",
            "peer",
            "core",
        ]
    times = [f"08:0{m} {zone} OCT 01 2026" for m in ("0:00.100", "0:07.300", "1:10.500")]
    return [*before, *numbers, "1", "63", *times, "16", "M10", "0", "M00", "0", "carrier-realm", "customer-realm", "flow", "PCMA"]


ACME_RECORD = {
    "id": "SDsession1", "caller": "2125550101", "callee": "8613800138000", "start": "2026-10-01 08:00:00.100Z", "answer": "2026-10-01 08:00:07.300Z",
    "end": "2026-10-01 08:01:10.500Z", "duration": "63", "gateway": "carrier-realm", "account": "customer-realm",
}  # fmt: skip
ACME = Sample(
    "oracle-sbc",
    "start, interim, stop; both widths",
    lines(acme("1"), acme("3"), acme("2"), acme("2", forked=False), acme("2", "EDT")),
    (ACME_RECORD, ACME_RECORD, {"start": "2026-10-01 08:00:00.100"}),
    folded=(1, 2),
    notes=("audit.note.interim", "audit.note.zone-unproven"),
)
ACME_WORDS = Sample(
    "oracle-sbc",
    "statuses in words",
    lines(acme("2"), ["Accounting-On", "192.0.2.9", "4", "x"], acme("1")).replace("2,", "Stop,", 1).replace('1,"192', '"Start","192'),
    (ACME_RECORD,),
    folded=(2, 3),
)
SONUS = Sample(
    "sonus",
    "stop, attempt, start, intermediate",
    lines(
        row(40, _0="START", _1="GW1", _2="0x01", _3="1", _4="GMT-05:00-Eastern (US)", _5="10/01/2026", _6="08:00:00.1"),
        row(40, _0="STOP", _1="GW1", _2="0x02", _3="1", _4="GMT-05:00-Eastern (US)", _5="10/01/2026", _6="08:00:00.1", _9="720", _10="10/01/2026",
            _11="08:01:10.5", _13="6320", _14="16", _17="acme", _19="2125550101", _20="8613800138000"),
        row(40, _0="ATTEMPT", _1="GW1", _2="0x03", _3="1", _4="GMT-05:00-Eastern (US)", _5="10/01/2026", _6="08:02:00.0", _9="08:02:09.0", _11="17",
            _14="acme", _16="2125550102", _17="442079460000"),
        row(40, _0="INTERMEDIATE", _1="GW1", _2="0x02", _5="10/01/2026", _6="08:00:00.1"),
    ),
    (
        {
            "id": "0x02", "caller": "2125550101", "callee": "8613800138000", "start": "2026-10-01 08:00:00.1", "answer": "2026-10-01 08:00:07.300000",
            "end": "2026-10-01 08:01:10.5", "duration": "63200", "account": "acme",
        },
        {"id": "0x03", "caller": "2125550102", "callee": "442079460000", "duration": "0", "answer": "", "account": "acme"},
    ),
    folded=(1, 4),
    notes=("audit.note.interim", "audit.note.node-zone"),
)  # fmt: skip
VOS_TABLE = Sample(
    "vos3000-table",
    "52 columns",
    ",".join(
        row(52, _0="2125550101", _1="2125550101", _2="8613800138000", _3="8888#8613800138000", _12="落地1", _19="1790812807300", _20="1790812870500",
            _23="63", _25="66", _26="0.132", _32="acme", _35="0.088", _41="330455246")
    )
    + "\n",
    (
        {
            "id": "330455246", "account": "acme", "caller": "2125550101", "callee": "8613800138000", "gateway": "落地1", "answer": "1790812807300",
            "end": "1790812870500", "duration": "63", "billed": "66", "charge": "0.132",
        },
    ),
)  # fmt: skip
VOS_EXPORT = Sample(
    "vos3000-export",
    "Chinese titles",
    "话单流水号,对账账户,主叫号码,被叫号码,落地网关,通话开始时间,通话结束时间,通话时长,计费时长,费率,结算费用,落地成本,挂断方向\n"
    "330455246,acme,2125550101,8613800138000,落地1,2026-10-01 08:00:07,2026-10-01 08:01:10,63,66,0.12,0.132,0.088,主叫\n",
    (
        {
            "id": "330455246", "account": "acme", "caller": "2125550101", "callee": "8613800138000", "gateway": "落地1", "duration": "63",
            "answer": "2026-10-01 08:00:07", "billed": "66", "rate": "0.12", "charge": "0.132",
        },
    ),
)  # fmt: skip
VOS_JSON = Sample(
    "vos3000-json",
    "two answers, an entry without times",
    json.dumps(
        [
            {
                "retCode": 0,
                "infoCdrs": [
                    {"flowNo": 330455246, "account": "acme", "callerE164": "2125550101", "calleeE164": "8613800138000", "calleeGateway": "g]1",
                     "start": 1790812807300, "stop": 1790812870500, "holdTime": 63, "feeTime": 66, "fee": 0.132, "agentFee": 0.088},
                    {"flowNo": 330455247, "calleeGateway": "", "endReason": -69},
                ],
            },
            {"retCode": 0, "infoCdrs": [{"flowNo": 3, "calleeAccessE164": "17300000000", "start": 1790812900000, "stop": 1790812900000,
                                         "holdTime": 0, "feeTime": 0, "fee": 0}]},
        ]
    ),
    (
        {
            "id": "330455246", "account": "acme", "caller": "2125550101", "callee": "8613800138000", "gateway": "g]1", "answer": "1790812807300",
            "end": "1790812870500", "duration": "63", "billed": "66", "charge": "0.132",
        },
        {"id": "3", "callee": "17300000000", "duration": "0", "charge": "0"},
    ),
    refused=((2, "no-call"),),
)  # fmt: skip
SHA = "0123456789abcdef0123456789abcdef01234567"
CGRATES = Sample(
    "cgrates",
    "export without titles, three runs",
    f"{SHA},*raw,*voice,o1,*postpaid,cgrates.org,call,1001,1001,8613800138000,2026-10-01T08:00:00Z,2026-10-01T08:00:07Z,1m3.2s,-1\n"
    f"{SHA},*default,*voice,o1,*postpaid,cgrates.org,call,1001,1001,8613800138000,2026-10-01T08:00:00Z,2026-10-01T08:00:07Z,1m3.2s,0.7002\n"
    f"{SHA},supplier,*voice,o1,*postpaid,cgrates.org,call,1001,sup,8613800138000,2026-10-01T08:00:00Z,2026-10-01T08:00:07Z,1m3.2s,0.5\n",
    (
        {
            "id": SHA, "account": "1001", "caller": "1001", "callee": "8613800138000", "start": "2026-10-01T08:00:00Z",
            "answer": "2026-10-01T08:00:07Z", "duration": "63200000", "charge": "0.7002",
        },
    ),
    folded=(1, 3),
    notes=("audit.note.cgrates-run",),
)  # fmt: skip
CGRATES_SUPPLIER = Sample(
    "cgrates",
    "the supplier's run first, an SMS",
    f"{SHA},supplier,*voice,o1,*postpaid,cgrates.org,call,1001,sup,8613800138000,2026-10-01T08:00:00Z,2026-10-01T08:00:07Z,63.2s,0.5\n"
    f"{SHA},*default,*voice,o1,*postpaid,cgrates.org,call,1001,1001,8613800138000,2026-10-01T08:00:00Z,,0s,0\n"
    f"{SHA},*default,*sms,o2,*postpaid,cgrates.org,sms,1001,1001,8613800138000,2026-10-01T08:00:00Z,2026-10-01T08:00:00Z,1,0.01\n",
    ({"charge": "0", "duration": "0", "answered": "no"},),
    folded=(1, 3),
    notes=("audit.note.cgrates-run", "audit.note.cgrates-tor"),
)
CGRATES_TABLE = Sample(
    "cgrates",
    "table cdrs with titles, usage in nanoseconds",
    "id,cgrid,run_id,origin_host,source,origin_id,tor,request_type,tenant,category,account,subject,destination,setup_time,answer_time,usage,cost\n"
    f"1,{SHA},*default,192.0.2.1,sm,o1,*voice,*prepaid,cgrates.org,call,acme,acme,8613800138000,2026-10-01 08:00:00,2026-10-01 08:00:07,63200000000,-1\n",
    ({"id": SHA, "account": "acme", "caller": "", "callee": "8613800138000", "duration": "63200000", "charge": "-1"},),
)
PORTASWITCH = Sample(
    "portaswitch",
    "customer xDRs",
    'Account ID,From,To,Country,Description,Connect time,Disconnect time,"Charged time, hour:min:sec","Amount, USD",Status\n'
    "acme,2125550101,8613800138000,CHINA,Mobile,2026-10-01 08:00:07,2026-10-01 08:01:10,0:01:06,0.132,Completed\n",
    (
        {
            "account": "", "caller": "2125550101", "callee": "8613800138000", "answer": "2026-10-01 08:00:07", "end": "2026-10-01 08:01:10",
            "billed": "0:01:06", "charge": "0.132",
        },
    ),
    layout={"currency": "USD", "units": {"billed": "clock"}},
)  # fmt: skip
SIPPY = Sample(
    "sippy",
    "export of the web pages",
    'Account id,CLI,CLD,Billing Prefix,Country,Description,Setup Time,Connect Time,Disconnect Time,"Duration, sec","Billed Duration, sec",Cost,Currency,Result\n'
    "acme,2125550101,8613800138000,86138,CHINA,Mobile,2026-10-01 08:00:00,2026-10-01 08:00:07,2026-10-01 08:01:10,63,66,0.132,USD,OK\n",
    (
        {
            "account": "acme", "caller": "2125550101", "callee": "8613800138000", "start": "2026-10-01 08:00:00", "answer": "2026-10-01 08:00:07",
            "end": "2026-10-01 08:01:10", "duration": "63", "billed": "66", "charge": "0.132", "currency": "USD",
        },
    ),
)  # fmt: skip
JERASOFT = Sample(
    "jerasoft",
    "list of xDRs",
    "Session ID;Client;Src Party ID;Dst Party ID;Setup Time;Connect Time;Disconnect Time;Volume;Billed Volume;Rate;Cost;Currency\n"
    "s1;acme;2125550101;8613800138000;2026-10-01 08:00:00;2026-10-01 08:00:07;2026-10-01 08:01:10;63;66;0.12;0.132;USD\n",
    (
        {
            "id": "s1", "account": "acme", "caller": "2125550101", "callee": "8613800138000", "answer": "2026-10-01 08:00:07", "duration": "63",
            "billed": "66", "rate": "0.12", "charge": "0.132", "currency": "USD",
        },
    ),
)  # fmt: skip
CDR_STATS = Sample(
    "cdr-stats",
    "with titles",
    "switch,cdr_source_type,callid,caller_id_number,caller_id_name,destination_number,starting_date,duration,billsec,accountcode,sell_rate,sell_cost\n"
    "192.0.2.1,1,x1,2125550101,Bob,8613800138000,2026-10-01 08:00:00,70,63,acme,0.12,0.132\n",
    (
        {
            "id": "x1",
            "account": "acme",
            "caller": "2125550101",
            "callee": "8613800138000",
            "total": "70",
            "duration": "63",
            "charge": "0.132",
        },
    ),
)
CDR_STATS_PLAIN = Sample(
    "cdr-stats",
    "without titles, epoch last",
    f"2125550101, bob, 8613800138000, 70, 63, 16, {A_LEG}, 1790812800\n",
    ({"id": A_LEG, "caller": "2125550101", "callee": "8613800138000", "total": "70", "duration": "63", "start": "1790812800"},),
)
CDR_STATS_REPORT = Sample(
    "cdr-stats",
    "report with the disposition",
    '2125550101,8613800138000,"ANSWER",70,63,1,2026-10-01 08:00:00\n2125550101,8613800138000,"BUSY",9,0,1,2026-10-01 08:05:00\n',
    ({"answered": "ANSWER", "duration": "63", "start": "2026-10-01 08:00:00"}, {"answered": "BUSY", "duration": "0"}),
)
SAMPLES = tuple(value for value in list(globals().values()) if isinstance(value, Sample))
