// The messages of the decode bench through simdjson's on-demand interface, each in its fastest form: where keys come in a known
// order they are asked for in that order, else the members are walked. Texts are unescaped into memory that outlives the
// message, numbers and views are written as the other contenders write them.
//
// What nobody reads is not validated: that is how on-demand works.

#include "simdjson.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

using namespace simdjson;

namespace {

// A text of up to 12 bytes, or where a longer one is.
struct View {
    uint32_t size;
    char bytes[12];
};

struct Columns {
    ondemand::parser parser;
    std::vector<uint64_t> words[5];
    std::vector<View> texts[4];
    std::vector<uint8_t> words_valid[5], texts_valid[4];
    // An order's lines: so many are there, in memory that only grows.
    size_t lines = 0;
    std::vector<View> skus;
    std::vector<uint64_t> quantities, prices;
    std::vector<uint8_t> text_bytes;
    uint8_t *free = nullptr;

    void begin(size_t rows, size_t bytes) {
        for (int column = 0; column < 5; column++) {
            words[column].resize(rows);
            words_valid[column].assign(rows / 8 + 1, 0);
        }
        for (int column = 0; column < 4; column++) {
            texts[column].resize(rows);
            texts_valid[column].assign(rows / 8 + 1, 0);
        }
        lines = 0;
        if (text_bytes.size() < bytes + rows * SIMDJSON_PADDING) text_bytes.resize(bytes + rows * SIMDJSON_PADDING);
        free = text_bytes.data();
    }

    void word(int column, size_t row, uint64_t value) {
        words[column][row] = value;
        words_valid[column][row / 8] |= 1 << row % 8;
    }

    void text(int column, size_t row, ondemand::raw_json_string raw) {
        view(texts[column][row], raw);
        texts_valid[column][row / 8] |= 1 << row % 8;
    }

    void line(ondemand::raw_json_string sku, int64_t quantity, uint64_t price) {
        if (lines == skus.size()) {
            skus.resize(2 * lines + 1024);
            quantities.resize(skus.size());
            prices.resize(skus.size());
        }
        view(skus[lines], sku);
        quantities[lines] = uint64_t(quantity);
        prices[lines++] = price;
    }

    void view(View &view, ondemand::raw_json_string raw) {
        uint8_t *before = free;
        std::string_view text;
        if (parser.unescape(raw, free).get(text)) std::abort();
        view.size = uint32_t(text.size());
        if (text.size() <= 12) {
            std::memcpy(view.bytes, text.data(), text.size());
            free = before;
        } else {
            const char *place = text.data();
            std::memcpy(view.bytes + 4, &place, 8);
        }
    }
};

[[noreturn]] void wrong(error_code error) {
    std::fprintf(stderr, "simdjson: %s\n", error_message(error));
    std::abort();
}

template <class T> T ok(simdjson_result<T> result) {
    T value;
    if (error_code error = std::move(result).get(value)) wrong(error);
    return value;
}

uint64_t bits(double value) {
    uint64_t word;
    std::memcpy(&word, &value, 8);
    return word;
}

void user(Columns &columns, ondemand::document &document, size_t row) {
    ondemand::object object = ok(document.get_object());
    columns.word(0, row, uint64_t(ok(object.find_field("id").get_int64())));
    columns.text(0, row, ok(object.find_field("name").get_raw_json_string()));
    columns.word(1, row, uint64_t(ok(object.find_field("updated_at").get_int64())));
    ondemand::object contact = ok(object.find_field("contact_info").get_object());
    ondemand::value email = ok(contact.find_field("email_address"));
    if (!ok(email.is_null())) columns.text(1, row, ok(email.get_raw_json_string()));
}

void transaction(Columns &columns, ondemand::document &document, size_t row) {
    ondemand::object object = ok(document.get_object());
    columns.text(0, row, ok(object.find_field("transaction_id").get_raw_json_string()));
    columns.word(0, row, uint64_t(ok(object.find_field("user_id").get_int64())));
    columns.word(1, row, bits(ok(object.find_field("amount").get_double())));
    columns.text(1, row, ok(object.find_field("merchant").get_raw_json_string()));
    ondemand::object location = ok(object.find_field("location").get_object());
    columns.text(2, row, ok(location.find_field("country").get_raw_json_string()));
    columns.word(2, row, uint64_t(ok(object.find_field("at").get_int64())));
}

void wide(Columns &columns, ondemand::document &document, size_t row) {
    ondemand::object object = ok(document.get_object());
    columns.word(0, row, uint64_t(ok(object.find_field("event_id").get_int64())));
    columns.text(0, row, ok(object.find_field("session_id").get_raw_json_string()));
    columns.text(1, row, ok(object.find_field("page_url").get_raw_json_string()));
    columns.word(1, row, bits(ok(object.find_field("cart_value").get_double())));
    columns.word(2, row, ok(object.find_field("is_member").get_bool()));
    columns.word(3, row, uint64_t(ok(object.find_field("received_at").get_int64())));
}

void user_any(Columns &columns, ondemand::document &document, size_t row) {
    for (auto member : ok(document.get_object())) {
        ondemand::field field = ok(std::move(member));
        std::string_view key = field.escaped_key();
        ondemand::value value = field.value();
        if (key == "id") columns.word(0, row, uint64_t(ok(value.get_int64())));
        else if (key == "name") columns.text(0, row, ok(value.get_raw_json_string()));
        else if (key == "updated_at") columns.word(1, row, uint64_t(ok(value.get_int64())));
        else if (key == "contact_info") {
            for (auto inner : ok(value.get_object())) {
                ondemand::field field = ok(std::move(inner));
                if (field.escaped_key() != "email_address") continue;
                ondemand::value email = field.value();
                if (!ok(email.is_null())) columns.text(1, row, ok(email.get_raw_json_string()));
            }
        }
    }
}

void transaction_any(Columns &columns, ondemand::document &document, size_t row) {
    for (auto member : ok(document.get_object())) {
        ondemand::field field = ok(std::move(member));
        std::string_view key = field.escaped_key();
        ondemand::value value = field.value();
        if (key == "transaction_id") columns.text(0, row, ok(value.get_raw_json_string()));
        else if (key == "user_id") columns.word(0, row, uint64_t(ok(value.get_int64())));
        else if (key == "amount") columns.word(1, row, bits(ok(value.get_double())));
        else if (key == "merchant") columns.text(1, row, ok(value.get_raw_json_string()));
        else if (key == "at") columns.word(2, row, uint64_t(ok(value.get_int64())));
        else if (key == "location") {
            for (auto inner : ok(value.get_object())) {
                ondemand::field field = ok(std::move(inner));
                if (field.escaped_key() == "country") columns.text(2, row, ok(field.value().get_raw_json_string()));
            }
        }
    }
}

void wide_any(Columns &columns, ondemand::document &document, size_t row) {
    for (auto member : ok(document.get_object())) {
        ondemand::field field = ok(std::move(member));
        std::string_view key = field.escaped_key();
        ondemand::value value = field.value();
        if (key == "event_id") columns.word(0, row, uint64_t(ok(value.get_int64())));
        else if (key == "session_id") columns.text(0, row, ok(value.get_raw_json_string()));
        else if (key == "page_url") columns.text(1, row, ok(value.get_raw_json_string()));
        else if (key == "cart_value") columns.word(1, row, bits(ok(value.get_double())));
        else if (key == "is_member") columns.word(2, row, ok(value.get_bool()));
        else if (key == "received_at") columns.word(3, row, uint64_t(ok(value.get_int64())));
    }
}

void order(Columns &columns, ondemand::document &document, size_t row) {
    ondemand::object object = ok(document.get_object());
    columns.text(0, row, ok(object.find_field("order_id").get_raw_json_string()));
    columns.word(0, row, uint64_t(ok(object.find_field("customer_id").get_int64())));
    for (auto item : ok(object.find_field("lines").get_array())) {
        ondemand::object line = ok(item.get_object());
        ondemand::raw_json_string sku = ok(line.find_field("sku").get_raw_json_string());
        int64_t quantity = ok(line.find_field("quantity").get_int64());
        columns.line(sku, quantity, bits(ok(line.find_field("price").get_double())));
    }
    columns.word(1, row, columns.lines);
    columns.word(4, row, uint64_t(ok(object.find_field("placed_at").get_int64())));
}

void order_any(Columns &columns, ondemand::document &document, size_t row) {
    for (auto member : ok(document.get_object())) {
        ondemand::field field = ok(std::move(member));
        std::string_view key = field.escaped_key();
        ondemand::value value = field.value();
        if (key == "order_id") columns.text(0, row, ok(value.get_raw_json_string()));
        else if (key == "customer_id") columns.word(0, row, uint64_t(ok(value.get_int64())));
        else if (key == "placed_at") columns.word(4, row, uint64_t(ok(value.get_int64())));
        else if (key == "lines") {
            for (auto item : ok(value.get_array())) {
                ondemand::raw_json_string sku;
                int64_t quantity = 0;
                uint64_t price = 0;
                for (auto member : ok(item.get_object())) {
                    ondemand::field field = ok(std::move(member));
                    std::string_view key = field.escaped_key();
                    ondemand::value value = field.value();
                    if (key == "sku") sku = ok(value.get_raw_json_string());
                    else if (key == "quantity") quantity = ok(value.get_int64());
                    else if (key == "price") price = bits(ok(value.get_double()));
                }
                columns.line(sku, quantity, price);
            }
            columns.word(1, row, columns.lines);
        }
    }
}

using Reader = void (*)(Columns &, ondemand::document &, size_t);

Reader reader(const char *shape, bool any_order) {
    std::string_view name = shape;
    if (name == "user") return any_order ? user_any : user;
    if (name == "transaction") return any_order ? transaction_any : transaction;
    if (name == "mixed") return transaction_any;
    if (name == "wide") return any_order ? wide_any : wide;
    if (name == "order") return any_order ? order_any : order;
    return nullptr;
}

} // namespace

extern "C" {

Columns *on_demand_new() { return new Columns; }

void on_demand_drop(Columns *columns) { delete columns; }

// Fills the columns from messages of a shape; behind each of them 64 bytes are readable. False where it does not know the shape.
bool on_demand_fill(Columns *columns, const char *shape, bool any_order, const char *const *messages, const size_t *sizes, size_t count) {
    Reader read = reader(shape, any_order);
    if (!read) return false;
    size_t bytes = 0;
    for (size_t row = 0; row < count; row++) bytes += sizes[row];
    columns->begin(count, bytes);
    for (size_t row = 0; row < count; row++) {
        ondemand::document document;
        padded_string_view message(messages[row], sizes[row], sizes[row] + SIMDJSON_PADDING);
        if (error_code error = columns->parser.iterate(message).get(document)) wrong(error);
        read(*columns, document, row);
    }
    return true;
}

// A word of a row; false where it is null.
bool on_demand_word(const Columns *columns, size_t column, size_t row, uint64_t *word) {
    *word = columns->words[column][row];
    return columns->words_valid[column][row / 8] >> row % 8 & 1;
}

static const char *text_of(const View &view, size_t *size) {
    *size = view.size;
    if (view.size <= 12) return view.bytes;
    const char *place;
    std::memcpy(&place, view.bytes + 4, 8);
    return place;
}

// A text of a row; null where it is null.
const char *on_demand_text(const Columns *columns, size_t column, size_t row, size_t *size) {
    if (!(columns->texts_valid[column][row / 8] >> row % 8 & 1)) return nullptr;
    return text_of(columns->texts[column][row], size);
}

// A line of an order: its text is given, its numbers are written.
const char *on_demand_line(const Columns *columns, size_t item, size_t *size, uint64_t *quantity, uint64_t *price) {
    *quantity = columns->quantities[item];
    *price = columns->prices[item];
    return text_of(columns->skus[item], size);
}

}
