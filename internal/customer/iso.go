package customer

import "strings"

// The code lists are facts of ISO 3166-1, ISO 4217 and ISO 3166-2, written by
// first letter: the entry for A holds what follows the A. The test with build
// tag isocodes compares them with Debian's iso-codes.

// countries holds the second letters of ISO 3166-1 alpha-2, and XI (Northern
// Ireland, in tax ids of the EU) and XK (Kosovo), which are user-assigned.
var countries = [26]string{
	"DEFGILMOQRSTUWXZ", "ABDEFGHIJLMNOQRSTVWYZ", "ACDFGHIKLMNORUVWXYZ", // A B C
	"EJKMOZ", "CEGHRST", "IJKMOR", "ABDEFGHILMNPQRSTUWY", "KMNRTU", // D E F G H
	"DELMNOQRST", "EMOP", "EGHIMNPRWYZ", "ABCIKRSTUVY", // I J K L
	"ACDEFGHKLMNOPQRSTUVWXYZ", "ACEFGILOPRUZ", "M", "AEFGHKLMNRSTWY", // M N O P
	"A", "EOSUW", "ABCDEGHIJKLMNORSTVXYZ", "CDFGHJKLMNORTVWZ", // Q R S T
	"AGMSYZ", "ACEGINU", "FS", "IK", "ET", "AMW", // U V W X Y Z
}

// currencies holds the other two letters of ISO 4217's codes. Codes that were
// withdrawn since 2019, where the bundled history begins, stay: they were
// right when they were sent.
var currencies = [26]string{
	"ED FN LL MD NG OA RS UD WG ZN", // A
	"AM BD DT GN HD IF MD ND OB OV RL SD TN WP YN ZD",
	"AD DF HE HF HW LF LP NY OP OU RC UC UP VE ZK",
	"JF KK OP ZD", "GP RN TB UR", "JD KP", // D E F
	"BP EL HS IP MD NF TQ YD", "KD NL RK TG UF", "DR LS NR QD RR SK", // G H I
	"MD OD PY", "ES GS HR MF PW RW WD YD ZT", "AK BP KR RD SL YD", // J K L
	"AD DL GA KD MK NT OP RU UR VR WK XN XV YR ZN", "AD GN IO OK PR ZD", // M N
	"MR", "AB EN GK HP KR LN YG", "AR", "ON SD UB WF", // O P Q R
	"AR BD CR DG EK GD HP LE LL OS RD SP TN VC YP ZL",       // S
	"HB JS MT ND OP RY TD WD ZS", "AH GX SD SN YI YU YW ZS", // T U
	"ED ES ND UV", "ST", // V W
	"AD AF AG AU BA BB BC BD CD CG DR OF PD PF PT SU TS UA XX", // X
	"ER", "AR MW WG WL", // Y Z
}

// statesUS holds the second letters of the subdivisions of the United States:
// the 50 states, the district and the outlying areas.
var statesUS = [26]string{
	"KLRSZ", "", "AOT", "CE", "", "L", "AU", "I", "ADLN", // A B C D E F G H I
	"", "SY", "A", "ADEINOPST", "CDEHJMVY", "HKR", "AR", "", // J K L M N O P Q
	"I", "CD", "NX", "MT", "AIT", "AIVY", "", "", "", // R S T U V W X Y Z
}

// isCountry reports whether code, two upper-case letters, is a country.
func isCountry(code string) bool { return isPair(&countries, code) }

// hasSubdivisions reports whether we have the table of a country.
func hasSubdivisions(country string) bool { return country == "US" }

// isSubdivision reports whether code, upper-case letters and digits, is in the
// table of country.
func isSubdivision(country, code string) bool {
	return country == "US" && len(code) == 2 && isPair(&statesUS, code)
}

// isPair reports whether table has a code of two characters.
func isPair(table *[26]string, code string) bool {
	first := code[0] - 'A'
	return first < 26 && strings.IndexByte(table[first], code[1]) >= 0
}

// isCurrency reports whether code, three upper-case letters, is a currency.
func isCurrency(code string) bool {
	list := currencies[code[0]-'A']
	for i := 0; i+2 <= len(list); i += 3 {
		if list[i:i+2] == code[1:] {
			return true
		}
	}
	return false
}
