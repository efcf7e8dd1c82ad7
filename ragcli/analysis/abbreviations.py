"""Abbreviations of several languages, by what follows them, as parts of regular expressions."""

# Before a name.
TITLES = (
    "Mr|Mrs|Ms|Dr|Prof|St|Gen|Col|Lt|Sen|Rep|Gov|Capt|Sgt|Maj|Rev|Hon|Mt|Messrs"
    "|Dipl|Ing|med|phil|rer|nat|jur|Hr|Fr|kath|evang|Skt|dhr|mevr|drs"
    "|Srta|Sra|Sres|Sras|Lic|Arq|Dña|Avda|EE|Mme|Mlle|MM|Dott|Avv|Sig|Geom|Rag|psicol|Dir|ad es"
    r"|проф|акад|пгт|ул|им|тов|(?<!\d\s)г"
)
# Before whatever does not begin a sentence.
LETTERS = "(?:[A-ZÀ-ÖØ-ÞΑ-ΩА-ЯЁ]|(?:[^\\W\\d_]\\.)+[^\\W\\d_])"
OTHERS = "Jr|Sr|vs|cf|al|ca|approx|Inc|Ltd|Co|Corp|Bros|bzw|Str|usw|resp|incl|est|гг"
BEFORE_NUMBERS = (
    "Fig|fig|Figs|Eq|eq|No|Nos|no|Nr|N°|Nº|Núm|núm|Vol|vol|Ch|Sec|Art|art|párrf|párr|pp|p|Abb|Tab|Kap|Abs|Tel|Ext|Cra"
    "|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|Ene|Abr|Ago|Dic|janv|févr|avr|juil|sept|oct|nov|déc|gen|mar|ott"
    "|Lun|Mié|Jue|Vie|Sáb|Dom|Кв|кв|ул|стр"
)
# After the number of a day or a century, which German writes with a full stop.
MONTHS = (
    "Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember|Jahrhundert|Jh|Auflage"
)
# Beginnings of a sentence rather than a name, so that an abbreviation before them ends a sentence.
STARTERS = (
    "The|It|He|She|We|They|You|I|This|That|These|Those|There|In|On|At|But|And|A|An|If|When|As|For|His|Her|Its"
    "|Their|Our|My|What|Who|How|Why|Where|Did|Do|Does|Is|Are|Was|Were|Can|Could|Have|Has|Had|Will|Would"
    "|Det|Hvad|Han|Hun|Jeg|Der|Das|Es|Wir|Ich|Il|Elle|Ils|В|На|Он|Она|Это|Но|Как"
)
