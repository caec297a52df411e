/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two headers: Accept (RFC 9110, 12.5.1) and Authorization (RFC 6750).
 *
 * Clients that know OpenMetrics name it; a browser that takes anything is better served with plain text. So a wildcard never
 * means OpenMetrics. Weights are thousandths. Parameters may be quoted, and a quoted comma separates nothing.
 */

#include <string.h>
#include <strings.h>

#include "exporter/accept.h"

#define WEIGHT_ONE 1000

/* The version of OpenMetrics that is written here. */
#define OPENMETRICS_VERSION "1.0.0"

typedef struct Span {
        const char *text;
        size_t size;
} Span;

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

static Span trim(Span s) {
        while (s.size > 0 && is_blank(s.text[0])) {
                s.text++;
                s.size--;
        }
        while (s.size > 0 && is_blank(s.text[s.size - 1]))
                s.size--;
        return s;
}

static bool equals(Span s, const char *word) {
        return s.size == strlen(word) && strncasecmp(s.text, word, s.size) == 0;
}

/* Takes what stands before the next separator outside of quotes off the front. Returns false when nothing is left. */
static bool take(Span *rest, char separator, Span *ret) {
        bool quoted = false;
        size_t i;

        if (!rest->text)
                return false;

        for (i = 0; i < rest->size; i++) {
                char c = rest->text[i];

                if (c == '"')
                        quoted = !quoted;
                else if (c == '\\' && quoted && i + 1 < rest->size)
                        i++;
                else if (c == separator && !quoted)
                        break;
        }

        *ret = trim((Span){ rest->text, i });
        *rest = i < rest->size ? (Span){ rest->text + i + 1, rest->size - i - 1 } : (Span){};
        return true;
}

/* "1", "0.5", "0.123" in thousandths; -1 when it is none of these. */
static int parse_weight(Span s) {
        int weight, unit = WEIGHT_ONE;

        if (s.size == 0 || s.size > 5 || (s.text[0] != '0' && s.text[0] != '1') ||
            (s.size > 1 && s.text[1] != '.'))
                return -1;

        weight = (s.text[0] - '0') * WEIGHT_ONE;
        for (size_t i = 2; i < s.size; i++) {
                if (s.text[i] < '0' || s.text[i] > '9')
                        return -1;
                unit /= 10;
                weight += (s.text[i] - '0') * unit;
        }
        return weight <= WEIGHT_ONE ? weight : -1;
}

static Span unquote(Span s) {
        if (s.size >= 2 && s.text[0] == '"' && s.text[s.size - 1] == '"')
                return (Span){ s.text + 1, s.size - 2 };
        return s;
}

/* The weights of what was asked for; -1: it was not mentioned. */
typedef struct Wishes {
        int openmetrics, plain, any_text, anything;
} Wishes;

static void read_range(Span range, Wishes *w) {
        Span media, parameter, version = {};
        int weight = WEIGHT_ONE;
        int *wish;

        if (!take(&range, ';', &media))
                return;
        while (take(&range, ';', &parameter)) {
                Span name;

                if (!take(&parameter, '=', &name) || !parameter.text)
                        continue;
                if (equals(name, "q"))
                        weight = parse_weight(trim(parameter));
                else if (equals(name, "version"))
                        version = unquote(trim(parameter));
        }
        if (weight < 0)
                return;

        if (equals(media, "application/openmetrics-text"))
                wish = version.text && !equals(version, OPENMETRICS_VERSION) ? NULL : &w->openmetrics;
        else if (equals(media, "text/plain"))
                wish = &w->plain;
        else if (equals(media, "text/*"))
                wish = &w->any_text;
        else
                wish = equals(media, "*/*") ? &w->anything : NULL;
        if (wish)
                *wish = MAX(*wish, weight);
}

MetricsForm accept_choose(const char *header) {
        Wishes w = { -1, -1, -1, -1 };
        Span rest, range;
        int text;

        if (!header)
                return METRICS_TEXT_0_0_4;

        rest = (Span){ header, strlen(header) };
        while (take(&rest, ',', &range))
                read_range(range, &w);

        /* The most precise word counts. */
        text = w.plain >= 0 ? w.plain : w.any_text >= 0 ? w.any_text : w.anything;
        return w.openmetrics > 0 && w.openmetrics >= text ? METRICS_OPENMETRICS : METRICS_TEXT_0_0_4;
}

const char *bearer_find(const char *header, size_t *ret_size) {
        static const char scheme[] = "Bearer";
        const char *token;
        size_t size;

        assert(ret_size);

        if (!header || strncasecmp(header, scheme, strlen(scheme)) != 0 || !is_blank(header[strlen(scheme)]))
                return NULL;

        token = header + strlen(scheme);
        token += strspn(token, " \t");
        size = strlen(token);
        while (size > 0 && is_blank(token[size - 1]))
                size--;
        if (size == 0)
                return NULL;

        *ret_size = size;
        return token;
}

bool token_equal(const char *token, size_t token_size, const char *given, size_t given_size) {
        /* volatile: the compiler must not find out that it may stop early. */
        volatile unsigned char different = token_size != given_size;

        assert(token_size > 0);

        for (size_t i = 0; i < given_size; i++)
                different |= (unsigned char) (given[i] ^ token[i % token_size]);
        return different == 0;
}

bool token_is_valid(const char *token, size_t size) {
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
        size_t n;

        if (size < TOKEN_MIN || size > TOKEN_MAX || memchr(token, 0, size))
                return false;

        for (n = size; n > 0 && token[n - 1] == '=';)
                n--;
        if (n == 0)
                return false;
        for (size_t i = 0; i < n; i++)
                if (!strchr(allowed, token[i]))
                        return false;
        return true;
}
