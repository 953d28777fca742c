"""What bills call their columns, in Chinese and English: field → names, the surest first. Small letters, no spaces, no marks."""

from typing import Final

from billing_audit.readers.layout import Field

SYNONYMS: Final[dict[Field, str]] = {
    "id": """
        话单流水号 话单流水 流水号 话单号 话单编号 话单id 呼叫标识 呼叫id 通话id 通话标识 会话id 序列号 记录号 cdrid callid
        callidentifier uniqueid uuid sessionid recordid acctsessionid callreference correlationid globalcallid transactionid
        cdrnumber recordnumber
    """,
    "caller": """
        主叫号码 主叫号 主叫 主叫电话 主叫方 主叫方号码 主叫用户号码 主叫用户 计费主叫 主叫e164 主叫接入号 主叫侧号码 呼出号码
        主叫显示号码
        源号码 a号码 来电号码 计费号码 本机号码 主叫num caller
        callernumber callerid callerid number calleridnumber calleridnum callere164 callerno
        callernum calling callingnumber callingno callingparty callingpartynumber callingstationid clinumber cli ani anumber ano
        apartynumber aparty subscribera asubscriber anum src source sourcenumber srcnumber sourceno from fromnumber fromuser
        origination originatingnumber originator originationnumber ingressani origani orignumber calleridinternal msisdn
    """,
    "callee": """
        被叫号码 被叫号 被叫 被叫电话 被叫方 被叫方号码 被叫用户号码 被叫用户 计费被叫 被叫e164 被叫接入号 被叫侧号码 目的号码 目标号码
        对端号码 对方号码 b号码 拨打号码 called callednumber calledno callednum callee calleenumber calleee164 calleeno calleenum
        calledparty calledpartynumber calledstationid bnumber bno bpartynumber bparty bsubscriber bnum subscriberb dialed
        dialednumber dialled diallednumber dialednum dialeddigits dst destinationnumber destnumber dstnumber destinationno destno to
        tonumber touser terminatingnumber terminationnumber ingressdnis dnis dnisnumber origdnis finalcalledpartynumber destination
    """,
    "start": """
        通话开始时间 开始时间 开始 起始 起始时间 通话起始时间 呼叫开始时间 呼叫起始时间 呼叫时间 发起时间 主叫时间 通话时间点 起呼时间
        拨打时间
        通话日期时间 计费开始时间 起始日期时间 开始日期时间 开始日期 通话日期 日期时间 时间 日期 starttime start starttimestamp
        starttimeutc startdate startdatetime startingdate startstamp startepoch setuptime setup setupdate setupdatetime begintime
        begin begindate begindatetime calldate calldatetime calltime callstart callstarttime callstartdate calldateandtime datetime
        dateandtime datetimeorigination originationtime originationdatetime initiated initiationtime invitetime seizuretime eventtime
        eventdate timestamp time date createdat createdtime offeredtime ringtime
    """,
    "answer": """
        应答时间 接通时间 被叫应答时间 通话接通时间 应答日期时间 摘机时间 接听时间 answertime answer answertimestamp answeredtime
        answeredat answerdate answerdatetime answerstamp answerepoch connecttime connect connected connectdate connectdatetime
        connecttimestamp connecteddate connectedtime connecttimeutc datetimeconnect conversationstart chargestart chargestarttime
        billstart billingstart talkstart
    """,
    "end": """
        通话结束时间 结束时间 结束 终止 终止时间 通话终止时间 呼叫结束时间 挂断时间 释放时间 拆线时间 挂机时间 计费结束时间 结束日期时间
        结束日期 endtime end enddate enddatetime endtimestamp endstamp endepoch endtimeutc stoptime stop stopdate stopdatetime
        disconnecttime disconnect disconnectdate disconnectdatetime disconnecttimestamp disconnecttimeutc datetimedisconnect
        releasetime released releasedate releasetimestamp hanguptime hangup hangupdate hangupstamp terminationtime finishtime
        finishdate completedtime callend callendtime
    """,
    "duration": """
        通话时长 通话时间长度 时长 通话秒数 通话时长秒 实际通话时长 实际时长 通话持续时间 持续时间 应答时长 接通时长 通话长度
        通话分钟数 talktime talkduration talksec talksecs talkseconds conversationtime conversationduration conversation duration
        durationsec durationsecs durationseconds callduration calllength callseconds answerduration answeredduration
        connectedduration connectduration actualduration realduration rawduration originalduration billsec holdtime length elapsed
        elapsedtime usage acctsessiontime sessiontime secs seconds sec dur minutes mins min
    """,
    "total": """
        总时长 呼叫时长 占用时长 呼叫总时长 totalduration totaltime totalcallduration callholdtime setupduration seizureduration
        seizuretimelength overallduration
    """,
    "billed": """
        计费时长 计费秒数 计费分钟 计费分钟数 计费时间 收费时长 收费秒数 计费通话时长 结算时长 计费长度 计费单元时长 计次时长
        话费时长 billedduration billedtime billed billedsec billedsecs billedseconds billedminutes billedmins billedmin
        billingduration billingtime billingseconds billingsec billduration billtime billseconds billminutes billablesec
        billableseconds billableduration billabletime billableminutes billable chargeableduration chargeabletime chargeable
        chargeableseconds chargeableunits chargeableminutes chargedduration chargedtime chargedseconds chargedquantity chargedminutes
        chargedtimesec ratedduration ratedminutes ratedseconds feetime rounded roundedduration roundedseconds effectiveduration
        invoicedduration settlementduration minutesbilled secondsbilled unitsbilled
    """,
    "rate": """
        费率 单价 费率分钟 计费费率 结算费率 资费 通话费率 每分钟费率 分钟费率 结算单价 话费单价 rate rateperminute ratepermin
        perminuterate permin perminute ratemin priceperminute pricepermin unitprice unitrate unitcost callrate ratevalue appliedrate
        sellrate sellingrate costperminute costpermin tariff tariffrate minuteprice minuterate pricemin billingrate buyrate settlementrate
    """,
    "charge": """
        结算费用 结算金额 通话费用 通话费 话费 费用 金额 计费金额 应收金额 应收 应收费用 收费金额 通话金额 消费金额 扣费 扣费金额
        总费用 总金额 费用合计 费用金额 计费费用 账单金额 fee charge charges chargeamount chargedamount callcharge callcost
        callcharges callfee amount amountcharged amt totalamount totalcharge totalcost totalfee totalprice cost price value debit
        billedamount billamount netamount netcharge netcost revenue sellcost sellprice sale saleamount settlementamount settlementfee
        invoiceamount callprice callamount sum subtotal total costsum 落地成本 落地费用 成本 成本费用 agentfee buycost
    """,
    "currency": """
        币种 货币 货币类型 货币单位 结算币种 币别 currency currencycode curr ccy iso4217 billingcurrency
    """,
    "account": """
        对账账户 账户 账户名称 账户号 账户号码 账户编号 账号 计费账户 客户账户 结算账户 客户名称 客户 客户编号 客户账号 用户账号 所属账户
        主叫账户 account accountname accountno accountnumber accountid accountcode acct acctname customer customername customerid
        customeraccount customercode client clientname clientid clientaccount partner partnername billto billingaccount
        subscriberaccount tenant carrierid reseller
    """,
    "gateway": """
        落地网关 被叫网关 出局网关 落地网关名称 网关 网关名称 对接网关 主叫网关 中继 中继组 出中继 出局中继 出中继组 路由 线路
        落地线路 通道 供应商 gateway gatewayname gatewayid calleegatewayid egressgateway terminationgateway outgateway trunk
        trunkname trunkgroup trunkid outtrunk egresstrunk outgoingtrunk outboundtrunk terminationtrunk egress route routename routeid
        vendor vendorname supplier suppliername carrier carriername egresscarrier outgoingroute dstchannel destinationtrunk
    """,
    "answered": """
        是否接通 接通状态 通话状态 呼叫状态 呼叫结果 通话结果 状态 结果 应答标志 接通标志 接通 disposition status callstatus
        callresult result answerstatus callstate state isanswered success connectstatus completion callcompletioncode
        completionstatus answered
    """,
}

NOT_FIELDS: Final = frozenset(
    (
        "挂断方向",
        "挂断原因",
        "释放原因",
        "结束原因",
        "终止原因",
        "hangupcause",
        "hangupdirection",
        "disconnectcause",
        "releasecause",
        "causecode",
        "cause",
        "主叫ip",
        "被叫ip",
        "地区",
        "区域",
        "国家",
        "destinationname",
        "destname",
        "country",
        "region",
        "prefix",
        "area",
        "zone",
        "codename",
        "direction",
        "方向",
        "备注",
        "remark",
        "note",
        "套餐",
    )
)
"""Known columns of bills that say nothing an audit compares."""

TOTALS: Final = frozenset(
    (
        "合计",
        "总计",
        "小计",
        "累计",
        "汇总",
        "总和",
        "共计",
        "本页合计",
        "本月合计",
        "total",
        "totals",
        "subtotal",
        "grandtotal",
        "sum",
        "summary",
        "totalamount",
    )
)
"""What a row of sums calls itself in one of its cells (small letters, no spaces, no marks)."""
