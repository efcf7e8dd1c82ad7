"""Which language a text is found to be in."""

import random
from typing import get_args

import pytest
import Stemmer
import tantivy

from ragcli.analysis.languages import FUNCTION_WORDS, LANGUAGES, STEMMED, Language, detect_language

PARAGRAPHS = {
    "ar": "يقرأ الطلاب الكتب في المكتبة كل يوم. تقع المكتبة في وسط المدينة بالقرب من النهر.",
    "da": "Biblioteket ligger midt i byen og er åbent hver dag. Man kan låne bøger, men det er ikke muligt at tage alle"
    " aviser med hjem. Jeg tror, at der også er et rum til børn, hvor de kan læse efter skole.",
    "de": "Die Bibliothek liegt mitten in der Stadt und ist jeden Tag geöffnet. Man kann Bücher ausleihen, aber nicht"
    " alle Zeitungen mit nach Hause nehmen. Für Kinder gibt es auch einen Raum, in dem sie lesen können.",
    "el": "Η βιβλιοθήκη βρίσκεται στο κέντρο της πόλης και είναι ανοιχτή κάθε μέρα.",
    "en": "The library lies in the middle of the town and is open every day. You can borrow books, but not all of the"
    " newspapers may be taken home. There is a room for children, too, where they can read after school.",
    "es": "La biblioteca está en el centro de la ciudad y abre todos los días. Se pueden llevar libros, pero no todos"
    " los periódicos. Para los niños hay una sala en la que leen después de la escuela.",
    "fi": "Kirjasto on keskellä kaupunkia ja se on auki joka päivä. Kirjoja voi lainata, mutta kaikkia lehtiä ei saa"
    " viedä kotiin. Siellä on myös huone, jossa lapset lukevat, kun koulu on ohi.",
    "fr": "La bibliothèque se trouve au centre de la ville et elle est ouverte tous les jours. On peut emprunter des"
    " livres, mais pas tous les journaux. Il y a une salle pour les enfants, qui y lisent après l’école.",
    "hu": "A könyvtár a város közepén van, és minden nap nyitva áll. Könyveket lehet kölcsönözni, de nem minden újságot"
    " szabad hazavinni. Van egy szoba is, ahol a gyerekek az iskola után olvasnak, ha még nem mennek haza.",
    "it": "La biblioteca si trova nel centro della città ed è aperta tutti i giorni. Si possono prendere libri, ma non"
    " tutti i giornali. Per i bambini c’è anche una sala in cui leggono con gli amici dopo la scuola.",
    "ja": "図書館は町の中心にあり、毎日開いています。本を借りることができます。",
    "ko": "도서관은 도시 한가운데에 있으며 매일 문을 엽니다. 책을 빌릴 수 있습니다.",
    "nl": "De bibliotheek ligt midden in de stad en is elke dag open. Men kan er boeken lenen, maar niet alle kranten"
    " mogen mee naar huis. Er is ook een kamer voor kinderen, waar zij na school van een boek genieten.",
    "no": "Biblioteket ligger midt i byen og er åpent hver dag. Man kan låne bøker, men det er ikke mulig å ta med alle"
    " aviser hjem. Jeg tror at det også er et rom til barn, hvor de kan lese noe av dette etter skolen.",
    "pt": "A biblioteca fica no centro da cidade e abre todos os dias. Podem levar-se livros, mas não todos os jornais."
    " Para as crianças há também uma sala em que leem com os amigos depois da escola.",
    "ro": "Biblioteca se află în centrul orașului și este deschisă în fiecare zi. Se pot împrumuta cărți, dar nu toate"
    " ziarele. Pentru copii este o sală în care citesc după școală, iar cărțile sunt la îndemâna lor.",
    "ru": "Библиотека находится в центре города и открыта каждый день. Можно взять книги домой.",
    "sv": "Biblioteket ligger mitt i staden och är öppet varje dag. Man kan låna böcker, men det går inte att ta med"
    " alla tidningar hem. Jag tror att det också finns ett rum för barn, där de kan läsa efter skolan.",
    "tr": "Kütüphane şehrin ortasında ve her gün açık. Kitap ödünç almak için bir kart gerekir, ama çok zor değil."
    " Çocuklar için de bir oda var; okuldan sonra burada daha rahat okurlar.",
    "zh": "图书馆在城市的中心，每天开放。可以借书，但不能把所有的报纸带回家。",
}


@pytest.mark.parametrize(("language", "text"), PARAGRAPHS.items())
def test_the_language_of_a_paragraph_is_found(language: str, text: str) -> None:
    assert detect_language([text]) == detect_language(text.split(". ")) == language
    assert detect_language([text.upper()]) == language


ENGLISH = [
    [],
    ["12345 !?"],
    ["A function returns a value."],
    ["Los Angeles, San José, El Paso, De La Cruz"],
    ["der und die"],  # too little to be sure
    ["Eine Funktion gibt einen Wert zurück."],
    ["The word 函数 means function, and this text is English."],
    ["Let α, β and γ be the angles; the sum of α, β and γ is π."],
    ["for i in range(10):\n    var = self.get(i)\n    print(var, end='')\nreturn var if var else None"],
    [
        "def de(la, le, el):\n    la.el = le\n    return de(el, la, le)",
        "if (un == de) { un = en.de; }",
    ],
    ["SELECT id, name FROM users WHERE id IN (1, 2) AND name LIKE '%e%' ORDER BY name"],
    ["La La Land and Les Misérables are films by Damien Chazelle and Tom Hooper. Il Postino is by Michael Radford."],
    ["He read: der Hund und die Katze sind nicht mit dem Kind im Haus. So the dog and the cat are not in the house."],
]


@pytest.mark.parametrize("texts", ENGLISH)
def test_where_it_is_not_sure_it_is_english(texts: list[str]) -> None:
    assert detect_language(texts) == "en"


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["函数返回一个值。"], "zh"),
        (["函數會傳回一個值，Python 的函數也是。"], "zh"),
        (["関数は値を返します。"], "ja"),
        (["함수는 값을 반환한다."], "ko"),
        (["Функция print() печатает список list."], "ru"),
        (["Η συνάρτηση print() τυπώνει."], "el"),
    ],
)
def test_the_script_decides_on_short_texts(texts: list[str], language: str) -> None:
    assert detect_language(texts) == language


def test_paragraphs_among_english_ones_do_not_change_the_language() -> None:
    for text in PARAGRAPHS.values():
        assert detect_language([*[PARAGRAPHS["en"]] * 5, text]) == "en"


def test_the_order_of_texts_does_not_matter() -> None:
    texts = [PARAGRAPHS["sv"], PARAGRAPHS["sv"], PARAGRAPHS["da"]]
    random.Random(1).shuffle(texts)
    assert {detect_language(texts), detect_language(texts[::-1])} == {"sv"}


def test_every_stemmed_language_has_its_stemmers() -> None:
    assert set(FUNCTION_WORDS) <= set(STEMMED) <= set(LANGUAGES) == set(get_args(Language))
    assert set(STEMMED.values()) <= set(Stemmer.algorithms())
    for name in STEMMED.values():
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(tantivy.Filter.stemmer(name)).build()
