"""Which language a prompt is in."""

import pytest

from turnout.language import detect_language

SENTENCES = {
    "en": "Write a function that returns the sum of two numbers",
    "de": "Schreibe mir bitte eine Funktion, die zwei Zahlen addiert",
    "fr": "Écris une fonction qui calcule la somme de deux nombres",
    "es": "Escribe una función que calcule la suma de dos números",
    "pt": "Escreva uma função que calcule a soma de dois números",
    "it": "Scrivi una funzione che calcola la somma di due numeri",
    "nl": "Schrijf een functie die de som van twee getallen berekent",
    "pl": "Napisz funkcję, która oblicza sumę dwóch liczb i zwraca wynik",
    "tr": "Bana iki sayının toplamını hesaplayan bir fonksiyon yaz",
    "vi": "Hãy viết một hàm tính tổng của hai số cho tôi",
    "id": "Tolong buat fungsi yang menghitung jumlah dua angka dengan Python",
    "ru": "Напиши функцию, которая складывает два числа",
    "uk": "Напиши функцію, яка додає два числа і повертає результат",
    "zh": "写一个函数，计算两个数的和",
    "ja": "二つの数の合計を計算する関数を書いてください",
    "ko": "두 수의 합을 계산하는 함수를 작성해 주세요",
    "ar": "اكتب دالة تحسب مجموع عددين",
    "fa": "یک تابع بنویس که جمع دو عدد را حساب کند، لطفاً با پایتون",
    "hi": "दो संख्याओं का योग निकालने वाला फ़ंक्शन लिखें",
    "th": "เขียนฟังก์ชันที่คำนวณผลรวมของสองจำนวน",
    "el": "Γράψε μια συνάρτηση που υπολογίζει το άθροισμα",
    "he": "כתוב פונקציה שמחשבת את הסכום של שני מספרים",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_is_known_by_its_script_or_its_commonest_words(code: str) -> None:
    assert detect_language(SENTENCES[code]) == code


@pytest.mark.parametrize("text", ["", "42", "🙂🙂", "xyzzy", "\x00", "\ud800"])
def test_what_tells_nothing_is_undetermined(text: str) -> None:
    assert detect_language(text) == "und"


def test_a_quoted_foreign_word_does_not_change_the_language() -> None:
    assert (
        detect_language("What does the word 你好 mean, and how do you say it to a friend?") == "en"
    )


def test_a_long_text_costs_no_more_than_its_beginning() -> None:
    assert detect_language("what is the " + "word " * 100_000 + "你好" * 1000) == "en"
