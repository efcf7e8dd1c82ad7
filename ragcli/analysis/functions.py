"""Function words: articles, prepositions, pronouns, auxiliaries, question words. They carry little meaning alone."""

# English: from the lists of Snowball and NLTK.
_EN = """
a about above after again against all am an and any are as at be because been before being below between both
but by can could did do does doing down during each few for from further had has have having he her here hers
herself him himself his how i if in into is it its itself just me more most my myself no nor not now of off on
once only or other ought our ours ourselves out over own same she should so some such than that the their
theirs them themselves then there these they this those through to too under until up very was we were what
when where which while who whom whose why will with would you your yours yourself yourselves
"""
_DE = """
der die das den dem des ein eine einen einem einer eines und oder aber nicht kein keine mit ohne von vom zu zum zur
auf aus bei für in im an am ist sind war waren wird werden wurde wurden hat haben hatte kann können muss müssen soll
sich es er sie ich wir ihr man als wie auch nur noch schon so dass wenn weil durch über unter vor nach bis um gegen
was wer wen wem wessen wo wohin woher wann warum wieso weshalb welche welcher welches welchen welchem wieviel
gibt habe hast mein meine dein deine ihre ihren ihrer sein seine seinen seiner diese dieser dieses diesen da dann
"""
_FR = """
le la les l un une des de du d et ou mais ne pas n en dans sur sous par pour avec sans à au aux est sont était
étaient être a ont avait avoir se s ce c cet cette ces il elle ils elles on je j tu nous vous qui que qu quoi quel
quelle quels quelles dont où quand comment combien pourquoi leur leurs son sa ses mon ma mes ton ta tes y fait faut
peut plus moins très aussi comme si lui été fut
"""
_ES = """
el la los las un una unos unas de del al a en y e o u pero no ni con sin por para sobre entre desde hasta es son era
eran fue fueron ser está están estar ha han había se su sus lo le les me mi te tu nos que qué quién quiénes cuál cuáles
cuándo cuánto cuánta cuántos cuántas cómo dónde adónde como cuando donde si más muy también ya esto este esta estos
estas ese esa hay porqué
"""
_IT = """
il lo la i gli le l un uno una di del dello della dei degli delle d a al allo alla ai agli alle da dal dalla in nel
nella nei nelle con su sul sulla per tra fra e ed o ma non è sono era erano essere stato stata ha hanno aveva si ci che
chi cosa cos quale quali quando quanto quanta quanti quante come dove dov perché mi ti vi suo sua suoi sue questo questa
questi queste più anche se fu
"""
_PT = """
o a os as um uma uns umas de do da dos das em no na nos nas por pelo pela para com sem sobre e ou mas não é são era
eram foi foram ser está estão tem têm há se que quem qual quais quando quanto quanta quantos quantas como onde porque
seu sua seus suas este esta isto esse essa isso mais muito também já ao aos à às lhe me te
"""
_NL = """
de het een en of maar niet geen met zonder van in op aan uit bij voor naar door over onder tot te er is zijn was waren
wordt worden werd werden heeft hebben had kan kunnen moet moeten zal ze zij hij ik wij we jij je u hun zich dat die dit
deze wat wie waar waarom wanneer hoe hoeveel welke welk wiens als ook nog al dan om haar hem men
"""
_SV = """
en ett den det de och eller men inte av i på till från med utan för vid om under över är var varit blir blev har hade
kan ska skall måste vara att som sig han hon vi jag du ni man sin sitt sina vad vem vems var när varför hur vilken
vilket vilka många mycket också så då där här
"""
_DA = """
en et den det de og eller men ikke af i på til fra med uden for ved om under over er var været bliver blev har havde
kan skal må være at som der sig han hun vi jeg du man sin sit sine hvad hvem hvis hvor hvornår hvorfor hvordan hvilken
hvilket hvilke mange også så da her
"""
_NO = """
en ei et den det de og eller men ikke av i på til fra med uten for ved om under over er var vært blir ble har hadde kan
skal må være å at som seg han hun vi jeg du man sin sitt sine hva hvem hvor når hvorfor hvordan hvilken hvilket hvilke
mange også så da her
"""
_FI = """
ja tai mutta ei eivät on ovat oli olivat olla ollut että jos kun niin se ne sen hän he minä sinä me te tämä nämä tuo
joka jotka mikä mitkä mitä kuka ketkä kenen missä mistä mihin milloin miksi miten kuinka monta kuin myös sekä vain
"""
_RU = """
и в во не на с со к ко по из у о об от до за для под над при через между без а но или да же ли бы что кто чей чья чьё
какой какая какое какие каком какую каким когда где куда откуда почему зачем как сколько который которая которое
которые это этот эта эти тот та то те он она оно они я ты мы вы его её их ему ей им был была было были есть быть так
также уже ещё только
"""
_RO = """
și sau dar nu în din de la cu fără pe pentru prin despre un o unei unui al a ai ale este sunt era erau fost fi are au
avea se că să ce cine care cui când unde cum cât câtă câți câte de ce mai foarte și lui ei lor acest această aceste
"""
_TR = """
ve veya ya da de ile için bir bu şu o ne kim kime kimin hangi nerede nereye nereden ne zaman neden niçin niye nasıl kaç
mi mı mu mü ki ama fakat gibi kadar daha en çok değil var yok olan olarak
"""
_HU = """
a az egy és vagy de nem is hogy ha van volt lesz mi ki kit kinek mit hol hová honnan mikor miért hogyan hány mennyi
melyik milyen aki ami amely ez ezt azt csak már még mint meg
"""
_EL = """
ο η το οι τα του της των τον την τους τις και ή αλλά δεν μη σε στο στη στην στον στα στις με χωρίς από για προς κατά
μετά είναι ήταν έχει έχουν να θα που πως ότι τι ποιος ποια ποιο ποιοι πότε πού γιατί πώς πόσο πόσοι πόσες πόσα ένας
μια μία ένα αυτό αυτή αυτός
"""
_AR = """
في من إلى على عن مع بين و أو ثم لكن لا ما لم لن هل هو هي هم هذا هذه ذلك تلك التي الذي الذين كان كانت يكون أن إن قد كل
متى أين كيف لماذا كم أي من ماذا
"""
WORDS = {
    language: frozenset(words.split())
    for language, words in {
        **{"en": _EN, "de": _DE, "fr": _FR, "es": _ES, "it": _IT, "pt": _PT, "nl": _NL, "sv": _SV, "da": _DA},
        **{"no": _NO, "fi": _FI, "ru": _RU, "ro": _RO, "tr": _TR, "hu": _HU, "el": _EL, "ar": _AR},
    }.items()
}
STOP_WORDS = WORDS["en"]


def function_words(language: str) -> frozenset[str]:
    """Return the function words of a language; the English ones for languages split into bigrams."""
    return WORDS.get(language, STOP_WORDS)
